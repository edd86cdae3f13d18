import { Module } from '@nestjs/common';
import { ChatServicesModule } from '../chat-services/chat-services.module.js';
import { TwilioModule } from '../twilio/twilio.module.js';
import { RolesService } from './roles.service.js';

@Module({ imports: [TwilioModule, ChatServicesModule], providers: [RolesService], exports: [RolesService] })
export class RolesModule {}
