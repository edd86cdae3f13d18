import { Global, Module } from '@nestjs/common';
import { AccessService } from './access.service.js';
import { KeyUses } from './key-uses.js';
import { KnownKeys } from './known-keys.js';
import { Upkeep } from './upkeep.js';

@Global()
@Module({ providers: [AccessService, KnownKeys, KeyUses, Upkeep], exports: [AccessService, KnownKeys] })
export class AccessModule {}
