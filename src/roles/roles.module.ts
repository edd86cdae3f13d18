import { Module } from '@nestjs/common';
import { ChatServicesModule } from '../chat-services/chat-services.module.js';
import { TwilioModule } from '../twilio/twilio.module.js';
import { RoleCommands } from './role-commands.js';
import { RoleDirectory } from './role-directory.js';
import { RoleRows } from './role-rows.js';
import { RoleWishes } from './role-wishes.js';
import { RolesController } from './roles.controller.js';
import { RolesService } from './roles.service.js';

@Module({
  imports: [TwilioModule, ChatServicesModule],
  controllers: [RolesController],
  providers: [RolesService, RoleDirectory, RoleCommands, RoleRows, RoleWishes],
  exports: [RolesService],
})
export class RolesModule {}
