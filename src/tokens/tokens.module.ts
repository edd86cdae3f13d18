import { Module } from '@nestjs/common';
import { ChatServicesModule } from '../chat-services/chat-services.module.js';
import { TwilioModule } from '../twilio/twilio.module.js';
import { TokensController } from './tokens.controller.js';
import { TokensService } from './tokens.service.js';

@Module({
  imports: [TwilioModule, ChatServicesModule],
  controllers: [TokensController],
  providers: [TokensService],
})
export class TokensModule {}
