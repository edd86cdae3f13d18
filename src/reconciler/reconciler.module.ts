import { Global, Module } from '@nestjs/common';
import { Commands } from './commands.js';
import { Reconciler } from './reconciler.js';
import { Sweeper } from './sweeper.js';
import { WishWaiters } from './wish-waiters.js';

@Global()
@Module({
  providers: [WishWaiters, Reconciler, Sweeper, Commands],
  exports: [WishWaiters, Reconciler, Commands],
})
export class ReconcilerModule {}
