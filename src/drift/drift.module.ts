import { Module } from '@nestjs/common';
import { ChatServicesModule } from '../chat-services/chat-services.module.js';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { IdentitiesModule } from '../identities/identities.module.js';
import { TwilioModule } from '../twilio/twilio.module.js';
import { ConversationPart } from './conversation-part.js';
import { DriftController } from './drift.controller.js';
import { DriftService } from './drift.service.js';
import { IdentityPart } from './identity-part.js';
import { OrphanPart } from './orphan-part.js';

/** What Twilio has is compared with our rows, and repaired when told. */
@Module({
  imports: [TwilioModule, ChatServicesModule, IdentitiesModule, ConversationsModule],
  controllers: [DriftController],
  providers: [DriftService, ConversationPart, IdentityPart, OrphanPart],
})
export class DriftModule {}
