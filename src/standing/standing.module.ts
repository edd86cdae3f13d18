import { Module } from '@nestjs/common';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { IdentitiesModule } from '../identities/identities.module.js';
import { TwilioModule } from '../twilio/twilio.module.js';
import { Erasing } from './erasing.js';
import { ErasureStore } from './erasure-store.js';
import { StandingController } from './standing.controller.js';
import { StandingService } from './standing.service.js';

/** Suspending, reinstating and erasing people. */
@Module({
  imports: [TwilioModule, IdentitiesModule, ConversationsModule],
  controllers: [StandingController],
  providers: [StandingService, Erasing, ErasureStore],
})
export class StandingModule {}
