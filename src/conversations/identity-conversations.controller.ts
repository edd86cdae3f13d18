import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { CallerOf, RequireScope, type Caller } from '../access/caller.js';
import { ApiFailures, pageOf, READ_THROUGH_FAILURES } from '../common/http/api-docs.js';
import type { Page } from '../common/http/page.js';
import { ConversationResponse, ListConversationsOfIdentityQuery } from './conversation.dto.js';
import { ConversationList } from './conversation-list.js';

@ApiTags('Identities')
@ApiBearerAuth()
@Controller('v1/identities/:identity/conversations')
export class IdentityConversationsController {
  constructor(private readonly lists: ConversationList) {}

  @Get()
  @RequireScope('conversations:read')
  @ApiOperation({
    operationId: 'listConversationsOfIdentity',
    summary: 'List the conversations that an identity is in, newest first',
    description: 'By browser or by an address that is linked to the person.',
  })
  @ApiResponse({ status: 200, type: pageOf(ConversationResponse) })
  @ApiFailures('validation_failed', 'missing_scope', 'not_found', ...READ_THROUGH_FAILURES)
  list(
    @CallerOf() caller: Caller,
    @Param('identity') identity: string,
    @Query() query: ListConversationsOfIdentityQuery,
  ): Promise<Page<ConversationResponse>> {
    return this.lists.ofIdentity(caller, identity, query);
  }
}
