import { Module } from '@nestjs/common';
import { ChatServicesModule } from '../chat-services/chat-services.module.js';
import { IdentitiesModule } from '../identities/identities.module.js';
import { RolesModule } from '../roles/roles.module.js';
import { TwilioModule } from '../twilio/twilio.module.js';
import { ChatCalls } from './chat-calls.js';
import { ConversationAggregate } from './conversation.aggregate.js';
import { ConversationCommands } from './conversation-commands.js';
import { ConversationList } from './conversation-list.js';
import { ConversationStore } from './conversation-store.js';
import { ConversationWriter } from './conversation-writer.js';
import { ConversationsController } from './conversations.controller.js';
import { ConversationsService } from './conversations.service.js';
import { DeparturesService } from './departures/departures.service.js';
import { Forgetting } from './departures/forgetting.js';
import { ForgettingStore } from './departures/forgetting-store.js';
import { MessageEraser } from './departures/message-eraser.js';
import { IdentityConversationsController } from './identity-conversations.controller.js';
import { ConversationDriftService } from './drift/conversation-drift.service.js';
import { RepairWishes } from './drift/repair-wishes.js';
import { LifecycleService } from './lifecycle.service.js';
import { LifecycleWishes } from './lifecycle-wishes.js';
import { MessageWishes } from './messages/message-wishes.js';
import { MessagesController } from './messages/messages.controller.js';
import { MessagesService } from './messages/messages.service.js';
import { RolePermissions } from './messages/role-permissions.js';
import { OpenConversations } from './open-conversations.js';
import { ParticipantWishes } from './participants/participant-wishes.js';
import { ParticipantsController } from './participants/participants.controller.js';
import { ParticipantsService } from './participants/participants.service.js';
import { ProvisionStore } from './provision-store.js';
import { Provisioning } from './provisioning.js';
import { Settlements } from './settlements.js';
import { TranscriptController } from './transcript/transcript.controller.js';
import { TranscriptService } from './transcript/transcript.service.js';

@Module({
  imports: [TwilioModule, ChatServicesModule, RolesModule, IdentitiesModule],
  controllers: [
    ConversationsController,
    IdentityConversationsController,
    ParticipantsController,
    MessagesController,
    TranscriptController,
  ],
  providers: [
    ConversationsService,
    ConversationList,
    ConversationWriter,
    ConversationCommands,
    ProvisionStore,
    OpenConversations,
    ConversationStore,
    Settlements,
    ConversationAggregate,
    ChatCalls,
    Provisioning,
    LifecycleService,
    LifecycleWishes,
    ParticipantsService,
    ParticipantWishes,
    MessagesService,
    MessageWishes,
    RolePermissions,
    TranscriptService,
    ConversationDriftService,
    RepairWishes,
    DeparturesService,
    Forgetting,
    ForgettingStore,
    MessageEraser,
  ],
  exports: [ConversationsService, ConversationDriftService, DeparturesService],
})
export class ConversationsModule {}
