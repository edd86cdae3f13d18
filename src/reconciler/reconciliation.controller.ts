import { Controller, Get, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { CallerOf, RequireScope, type Caller } from '../access/caller.js';
import { ApiFailures, pageOf } from '../common/http/api-docs.js';
import { PageQuery, type Page } from '../common/http/page.js';
import { UnsettledResponse } from './reconciliation.dto.js';
import { ReconciliationService } from './reconciliation.service.js';

@ApiTags('Reconciliation')
@ApiBearerAuth()
@Controller('v1/reconciliation')
export class ReconciliationController {
  constructor(private readonly reconciliation: ReconciliationService) {}

  @Get()
  @RequireScope('admin')
  @ApiOperation({
    operationId: 'listUnsettled',
    summary: 'List what is behind, since when and why; oldest first',
    description: 'Wishes that are not fulfilled yet, with what stood in the way at the last try.',
  })
  @ApiResponse({ status: 200, type: pageOf(UnsettledResponse) })
  @ApiFailures('validation_failed', 'missing_scope')
  list(@CallerOf() caller: Caller, @Query() query: PageQuery): Promise<Page<UnsettledResponse>> {
    return this.reconciliation.list(caller, query);
  }
}
