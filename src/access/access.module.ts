import { Global, Module } from '@nestjs/common';
import { AccessService } from './access.service.js';
import { KeyUses } from './key-uses.js';
import { KnownKeys } from './known-keys.js';
import { FailedKeys } from './limits/failed-keys.js';
import { RateLimits } from './limits/rate-limits.js';
import { Upkeep } from './upkeep.js';

@Global()
@Module({
  providers: [AccessService, KnownKeys, KeyUses, FailedKeys, RateLimits, Upkeep],
  exports: [AccessService, KnownKeys, RateLimits],
})
export class AccessModule {}
