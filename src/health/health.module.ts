import { Module } from '@nestjs/common';
import { TwilioModule } from '../twilio/twilio.module.js';
import { HealthController } from './health.controller.js';
import { HealthService } from './health.service.js';

@Module({ imports: [TwilioModule], controllers: [HealthController], providers: [HealthService] })
export class HealthModule {}
