import { Controller, Get } from '@nestjs/common';
import { ApiOperation, ApiProperty, ApiResponse, ApiTags } from '@nestjs/swagger';
import { Public } from '../access/caller.js';
import { Reply } from '../common/http/reply.js';
import { HealthService } from './health.service.js';

class LiveResponse {
  @ApiProperty({ enum: ['ok'] }) status!: 'ok';
}

class ReadyResponse {
  @ApiProperty({ enum: ['ok', 'unavailable'] }) status!: 'ok' | 'unavailable';
  @ApiProperty({ enum: ['ok', 'unavailable'] }) postgres!: 'ok' | 'unavailable';
  @ApiProperty({ enum: ['ok', 'pending', 'unknown'] }) migrations!: 'ok' | 'pending' | 'unknown';
  @ApiProperty({
    enum: ['ok', 'unreachable'],
    description: 'For information: what needs Twilio waits for it.',
  })
  twilio!: 'ok' | 'unreachable';
}

@ApiTags('Health')
@Public()
@Controller()
export class HealthController {
  constructor(private readonly health: HealthService) {}

  @Get('livez')
  @ApiOperation({
    operationId: 'getLive',
    summary: 'Whether the process runs',
    description: 'Asks nothing of anybody else.',
  })
  @ApiResponse({ status: 200, type: LiveResponse })
  live(): LiveResponse {
    return { status: 'ok' };
  }

  @Get('readyz')
  @ApiOperation({
    operationId: 'getReady',
    summary: 'Whether requests can be served',
    description:
      'Postgres and its migrations decide. Twilio is named for information: what needs it waits for it.',
  })
  @ApiResponse({ status: 200, type: ReadyResponse })
  @ApiResponse({ status: 503, type: ReadyResponse })
  async ready(): Promise<Reply> {
    const state = await this.health.state();
    return new Reply(state.status === 'ok' ? 200 : 503, state);
  }
}
