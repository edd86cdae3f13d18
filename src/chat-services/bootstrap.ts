import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { ApiKeysService } from './api-keys/api-keys.service.js';
import { ChatServicesService } from './chat-services.service.js';

/** Makes what the environment names known before the first request: the default chat service and the bootstrap key. */
@Injectable()
export class Bootstrap implements OnModuleInit {
  constructor(
    private readonly config: AppConfig,
    private readonly services: ChatServicesService,
    private readonly keys: ApiKeysService,
  ) {}

  async onModuleInit(): Promise<void> {
    const serviceId = await this.services.ensureKnown(this.config.twilio.defaultChatServiceSid);
    const key = this.config.bootstrapApiKey;
    if (key !== null) await this.keys.ensureBootstrapKey(key, serviceId);
  }
}
