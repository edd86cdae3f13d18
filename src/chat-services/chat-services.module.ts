import { Module } from '@nestjs/common';
import { TwilioModule } from '../twilio/twilio.module.js';
import { ApiKeysController } from './api-keys/api-keys.controller.js';
import { ApiKeysService } from './api-keys/api-keys.service.js';
import { Bootstrap } from './bootstrap.js';
import { ChatServiceWishes } from './chat-service-wishes.service.js';
import { ChatServiceAggregate } from './chat-service.aggregate.js';
import { ChatServicesController } from './chat-services.controller.js';
import { ChatServicesService } from './chat-services.service.js';
import { PresetRoles } from './preset-roles.service.js';

@Module({
  imports: [TwilioModule],
  controllers: [ChatServicesController, ApiKeysController],
  providers: [
    ChatServicesService,
    ChatServiceAggregate,
    ChatServiceWishes,
    PresetRoles,
    ApiKeysService,
    Bootstrap,
  ],
  exports: [ChatServicesService, ChatServiceWishes, PresetRoles],
})
export class ChatServicesModule {}
