import { Global, Module } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { Database } from '../database/database.js';
import { TwilioModule } from '../twilio/twilio.module.js';
import { Commands } from './commands.js';
import { LeaseStore } from './lease-store.js';
import { Reconciler } from './reconciler.js';
import { ReconciliationController } from './reconciliation.controller.js';
import { ReconciliationService } from './reconciliation.service.js';
import { Sweeper } from './sweeper.js';
import { WishWaiters } from './wish-waiters.js';

@Global()
@Module({
  imports: [TwilioModule],
  controllers: [ReconciliationController],
  providers: [
    {
      provide: LeaseStore,
      inject: [Database, AppConfig],
      useFactory: (database: Database, config: AppConfig) => new LeaseStore(database, config.reconciler),
    },
    WishWaiters,
    Reconciler,
    Sweeper,
    Commands,
    ReconciliationService,
  ],
  exports: [WishWaiters, Reconciler, Commands],
})
export class ReconcilerModule {}
