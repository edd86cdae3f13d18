import { Module } from '@nestjs/common';
import { ChatServicesModule } from '../chat-services/chat-services.module.js';
import { TwilioModule } from '../twilio/twilio.module.js';
import { RolesModule } from '../roles/roles.module.js';
import { IdentitiesController } from './identities.controller.js';
import { IdentitiesService } from './identities.service.js';
import { IdentityAggregate } from './identity.aggregate.js';
import { ServiceRoles } from './service-roles.js';

@Module({
  imports: [TwilioModule, ChatServicesModule, RolesModule],
  controllers: [IdentitiesController],
  providers: [IdentitiesService, IdentityAggregate, ServiceRoles],
  exports: [IdentitiesService],
})
export class IdentitiesModule {}
