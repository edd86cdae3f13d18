import { Module } from '@nestjs/common';
import { AccessTokens } from './access-tokens.js';
import { TwilioGateway } from './twilio.gateway.js';

@Module({
  providers: [TwilioGateway, AccessTokens],
  exports: [TwilioGateway, AccessTokens],
})
export class TwilioModule {}
