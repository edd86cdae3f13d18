import { Module } from '@nestjs/common';
import { ChatServicesModule } from '../chat-services/chat-services.module.js';
import { RolesModule } from '../roles/roles.module.js';
import { TwilioModule } from '../twilio/twilio.module.js';
import { ConversationAggregate } from './conversation.aggregate.js';
import { ConversationList } from './conversation-list.js';
import { ConversationStore } from './conversation-store.js';
import { ConversationWriter } from './conversation-writer.js';
import { ConversationsController } from './conversations.controller.js';
import { ConversationsService } from './conversations.service.js';
import { Provisioning } from './provisioning.js';

@Module({
  imports: [TwilioModule, ChatServicesModule, RolesModule],
  controllers: [ConversationsController],
  providers: [
    ConversationsService,
    ConversationList,
    ConversationWriter,
    ConversationStore,
    ConversationAggregate,
    Provisioning,
  ],
  exports: [ConversationsService],
})
export class ConversationsModule {}
