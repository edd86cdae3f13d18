import { Module } from '@nestjs/common';
import { TwilioModule } from '../twilio/twilio.module.js';
import { RolesService } from './roles.service.js';

@Module({ imports: [TwilioModule], providers: [RolesService], exports: [RolesService] })
export class RolesModule {}
