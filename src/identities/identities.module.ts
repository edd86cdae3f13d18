import { Module } from '@nestjs/common';
import { ChatServicesModule } from '../chat-services/chat-services.module.js';
import { TwilioModule } from '../twilio/twilio.module.js';
import { RolesModule } from '../roles/roles.module.js';
import { IdentitiesController } from './identities.controller.js';
import { IdentitiesService } from './identities.service.js';
import { IdentityAggregate } from './identity.aggregate.js';
import { IdentityDriftService } from './identity-drift.service.js';
import { ImportBatches } from './import/import-batch.js';
import { ImportController } from './import/import.controller.js';
import { ImportService } from './import/import.service.js';
import { IdentityWishesService } from './identity-wishes.service.js';
import { ServiceRoles } from './service-roles.js';
import { SharedNames } from './shared-names.js';

@Module({
  imports: [TwilioModule, ChatServicesModule, RolesModule],
  controllers: [IdentitiesController, ImportController],
  providers: [
    IdentitiesService,
    IdentityAggregate,
    IdentityDriftService,
    IdentityWishesService,
    ServiceRoles,
    SharedNames,
    ImportBatches,
    ImportService,
  ],
  exports: [IdentitiesService, IdentityDriftService, IdentityWishesService],
})
export class IdentitiesModule {}
