import { Body, Controller, Get, HttpCode, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { CallerOf, RequireScope, type Caller } from '../access/caller.js';
import { ApiCommand, ApiExamples, ApiFailures, READ_THROUGH_FAILURES } from '../common/http/api-docs.js';
import { NothingIn } from '../common/http/nothing-in.js';
import { CommandOf, type Command } from '../common/http/command.js';
import { PageQuery } from '../common/http/page.js';
import type { ErrorCode } from '../common/errors/error-catalog.js';
import { DriftPageResponse, DriftRepairPageResponse, RepairDriftDto } from './drift.dto.js';
import { DriftService } from './drift.service.js';

const FAILURES: ErrorCode[] = ['validation_failed', 'missing_scope', ...READ_THROUGH_FAILURES];

@ApiTags('Reconciliation')
@ApiBearerAuth()
@Controller('v1/drift')
export class DriftController {
  constructor(private readonly drift: DriftService) {}

  @Get()
  @RequireScope('admin')
  @ApiOperation({
    operationId: 'reportDrift',
    summary: 'Compare our rows with what Twilio has; changes nothing',
    description:
      'A page at a time: our conversations with their participants and newest 100 messages, then identities with their Users, then the conversations at Twilio that bear a name of ours.',
  })
  @ApiResponse({ status: 200, type: DriftPageResponse })
  @ApiFailures(...FAILURES)
  async report(@CallerOf() caller: Caller, @Query() query: PageQuery): Promise<DriftPageResponse> {
    return DriftPageResponse.from(await this.drift.report(caller, query));
  }

  @Post('repair')
  @HttpCode(200)
  @RequireScope('admin')
  @ApiOperation({
    operationId: 'repairDrift',
    summary: 'Compare a page, or conversations that are named, and repair what differs',
    description:
      '`limit` and `cursor` stand in the body. May be repeated: what is repaired is not met again. Nothing is reopened, and nobody is had in again without `readd`.',
  })
  @ApiCommand({ idempotencyKey: false })
  @ApiExamples(RepairDriftDto, { page: { limit: 20 }, readd: { limit: 20, readd: true } })
  @ApiResponse({ status: 200, type: DriftRepairPageResponse })
  @ApiFailures(...FAILURES, 'not_found', 'conversation_failed')
  async repair(
    @CommandOf() command: Command,
    @CallerOf() caller: Caller,
    @Body() body: RepairDriftDto,
    @NothingIn('query') _: undefined,
  ): Promise<DriftRepairPageResponse> {
    return DriftRepairPageResponse.from(await this.drift.repair(command, caller, body));
  }
}
