import { Module, type DynamicModule } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import { AccessGuard } from './access/access.guard.js';
import { AccessModule } from './access/access.module.js';
import { ApiKeyEntity } from './access/api-key.entity.js';
import { AppExceptionFilter } from './app-exception.filter.js';
import { ChatServiceEntity } from './chat-services/chat-service.entity.js';
import { ChatServicesModule } from './chat-services/chat-services.module.js';
import { StrictValidationPipe } from './common/validation/strict-validation.pipe.js';
import type { AppConfig } from './config/app-config.js';
import { ConfigModule } from './config/config.module.js';
import { ConversationEntity } from './conversations/conversation.entity.js';
import { ConversationsModule } from './conversations/conversations.module.js';
import { MessageEntity } from './conversations/messages/message.entity.js';
import { ParticipantEntity } from './conversations/participants/participant.entity.js';
import { DatabaseModule } from './database/database.module.js';
import { DriftModule } from './drift/drift.module.js';
import { HealthModule } from './health/health.module.js';
import { IdentitiesModule } from './identities/identities.module.js';
import { IdentityEntity } from './identities/identity.entity.js';
import { ReconcilerModule } from './reconciler/reconciler.module.js';
import { RolesModule } from './roles/roles.module.js';
import { TokenSessionEntity } from './tokens/sessions/token-session.entity.js';
import { StandingModule } from './standing/standing.module.js';
import { TokensModule } from './tokens/tokens.module.js';

const ENTITIES = [
  ApiKeyEntity,
  ChatServiceEntity,
  IdentityEntity,
  ConversationEntity,
  ParticipantEntity,
  MessageEntity,
  TokenSessionEntity,
];

/** The composition root: every module, and the only providers that stand before or behind all routes. */
@Module({})
export class AppModule {
  static with(config: AppConfig): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigModule.with(config),
        DatabaseModule.withEntities(ENTITIES),
        AccessModule,
        ReconcilerModule,
        ChatServicesModule,
        RolesModule,
        IdentitiesModule,
        ConversationsModule,
        StandingModule,
        DriftModule,
        TokensModule,
        HealthModule,
      ],
      providers: [
        { provide: APP_FILTER, useClass: AppExceptionFilter },
        { provide: APP_GUARD, useClass: AccessGuard },
        { provide: APP_PIPE, useClass: StrictValidationPipe },
      ],
    };
  }
}
