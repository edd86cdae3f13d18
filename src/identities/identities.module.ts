import { Module } from '@nestjs/common';
import { ChatServicesModule } from '../chat-services/chat-services.module.js';
import { TwilioModule } from '../twilio/twilio.module.js';
import { IdentitiesController } from './identities.controller.js';
import { IdentitiesService } from './identities.service.js';

@Module({
  imports: [TwilioModule, ChatServicesModule],
  controllers: [IdentitiesController],
  providers: [IdentitiesService],
  exports: [IdentitiesService],
})
export class IdentitiesModule {}
