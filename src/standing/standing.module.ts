import { Module } from '@nestjs/common';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { IdentitiesModule } from '../identities/identities.module.js';
import { TwilioModule } from '../twilio/twilio.module.js';
import { Deleting } from './deleting.js';
import { Erasing } from './erasing.js';
import { ErasureStore } from './erasure-store.js';
import { StandingController } from './standing.controller.js';
import { StandingService } from './standing.service.js';

/** Suspending, reinstating, erasing and deleting people. */
@Module({
  imports: [TwilioModule, IdentitiesModule, ConversationsModule],
  controllers: [StandingController],
  providers: [StandingService, Deleting, Erasing, ErasureStore],
})
export class StandingModule {}
