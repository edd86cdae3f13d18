import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Put, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import { CallerOf, RequireScope, type Caller } from '../access/caller.js';
import type { ErrorCode } from '../common/errors/error-catalog.js';
import {
  ApiCommand,
  ApiExamples,
  ApiFailures,
  ApiIfMatch,
  pageOf,
  READ_THROUGH_FAILURES,
} from '../common/http/api-docs.js';
import { CommandOf, type Command } from '../common/http/command.js';
import { AnswersEtag, IfMatchOf, withEtag } from '../common/http/etag.js';
import type { Page } from '../common/http/page.js';
import { NothingIn } from '../common/http/nothing-in.js';
import type { Reply } from '../common/http/reply.js';
import {
  ConversationResponse,
  ListConversationsQuery,
  ProvisionConversationDto,
} from './conversation.dto.js';
import { ANY_STATE_FAILURES, COMMAND_FAILURES, GOES_ON, KEYED_FAILURES } from './command-docs.js';
import { ConversationList } from './conversation-list.js';
import { ConversationsService } from './conversations.service.js';
import { CloseConversationDto, TransferConversationDto, UpdateConversationDto } from './lifecycle.dto.js';
import { LifecycleService } from './lifecycle.service.js';

const PROVISION_FAILURES: ErrorCode[] = [
  'validation_failed',
  'malformed_json',
  'missing_scope',
  'identity_suspended',
  'identity_conversation_limit',
  'address_in_use',
  'conversation_deleted',
  'external_ref_taken',
  'identity_kind_mismatch',
  'payload_too_large',
  'unsupported_media_type',
  'provisioning_failed',
  ...READ_THROUGH_FAILURES,
];

const PROVISION_EXAMPLES = {
  support: {
    externalRef: 'case-4711',
    friendlyName: 'Order 4711',
    attributes: { crm: 'hubspot' },
    participants: [
      { kind: 'agent', externalId: 'agent-7', displayName: 'Ada', role: 'agent', attributes: {} },
      { kind: 'customer', externalId: 'cust-42', displayName: 'Bob' },
      { kind: 'customer', address: '+15551230000', proxyAddress: '+15559990000', externalId: 'cust-43' },
    ],
    systemMessage: { body: 'Ada will be with you shortly.', attributes: {} },
    timers: { inactive: 'PT1H', closed: 'P1D' },
  },
  least: { participants: [{ kind: 'customer', externalId: 'cust-42' }] },
};

@ApiTags('Conversations')
@ApiBearerAuth()
@Controller('v1/conversations')
export class ConversationsController {
  constructor(
    private readonly conversations: ConversationsService,
    private readonly lists: ConversationList,
    private readonly lifecycle: LifecycleService,
  ) {}

  @Post()
  @AnswersEtag()
  @RequireScope('conversations:write')
  @ApiOperation({
    operationId: 'provisionConversation',
    summary: 'Provision a conversation: people, roles and a system message in one call',
    description:
      'People who are not known yet are made known. The chat exists once and whole, whatever happens on the way: when Twilio refuses a part of it for good, what was made is taken back, the conversation is `failed`, and its `externalRef` is free again.',
  })
  @ApiCommand()
  @ApiExamples(ProvisionConversationDto, PROVISION_EXAMPLES)
  @ApiResponse({ status: 201, type: ConversationResponse })
  @ApiResponse({ status: 202, type: ConversationResponse, description: GOES_ON })
  @ApiFailures(...PROVISION_FAILURES, 'external_ref_taken', ...KEYED_FAILURES)
  provision(
    @CommandOf() command: Command,
    @CallerOf() caller: Caller,
    @Body() body: ProvisionConversationDto,
  ): Promise<Reply> {
    return this.conversations.provision(command, caller, body);
  }

  @Put('by-ref/:externalRef')
  @AnswersEtag()
  @RequireScope('conversations:write')
  @ApiOperation({
    operationId: 'provisionConversationByRef',
    summary: 'Provision the conversation of a case, or get the one that exists, unchanged',
    description:
      'However many callers race, one conversation is made, and each of them gets it. One that is being provisioned is waited for.',
  })
  @ApiParam({
    name: 'externalRef',
    description: 'Your own id of the case, 1 to 255 characters.',
    example: 'case-4711',
  })
  @ApiCommand({ idempotencyKey: false })
  @ApiExamples(ProvisionConversationDto, { least: PROVISION_EXAMPLES.least })
  @ApiResponse({ status: 200, type: ConversationResponse, description: 'It existed.' })
  @ApiResponse({ status: 201, type: ConversationResponse, description: 'This call made it.' })
  @ApiResponse({ status: 202, type: ConversationResponse, description: GOES_ON })
  @ApiFailures(...PROVISION_FAILURES, 'uri_too_long')
  provisionByRef(
    @CommandOf() command: Command,
    @CallerOf() caller: Caller,
    @Param('externalRef') externalRef: string,
    @Body() body: ProvisionConversationDto,
  ): Promise<Reply> {
    return this.conversations.provisionByRef(command, caller, externalRef, body);
  }

  @Get()
  @RequireScope('conversations:read')
  @ApiOperation({
    operationId: 'listConversations',
    summary: 'List conversations, newest first',
    description: 'The filters may be combined. Failed ones stay listed for 30 days.',
  })
  @ApiResponse({ status: 200, type: pageOf(ConversationResponse) })
  @ApiFailures('validation_failed', 'missing_scope')
  list(
    @CallerOf() caller: Caller,
    @Query() query: ListConversationsQuery,
  ): Promise<Page<ConversationResponse>> {
    return this.lists.page(caller, query);
  }

  @Get(':conversation')
  @RequireScope('conversations:read')
  @ApiOperation({
    operationId: 'getConversation',
    summary: 'Read a conversation, by id or CH…',
    description: 'With its participants, as they are wanted, and the system message it began with.',
  })
  @ApiResponse({ status: 200, type: ConversationResponse })
  @ApiFailures('malformed_request', 'missing_scope', 'not_found', 'uri_too_long')
  async get(@CallerOf() caller: Caller, @Param('conversation') conversation: string): Promise<Reply> {
    return withEtag(await this.conversations.get(caller, conversation));
  }

  @Patch(':conversation')
  @AnswersEtag()
  @RequireScope('conversations:write')
  @ApiOperation({
    operationId: 'updateConversation',
    summary: 'Change a conversation; closed is final',
    description:
      'Closed is final: nothing but deleting is possible after that. With `If-Match` only the version that was read is changed.',
  })
  @ApiCommand({ idempotencyKey: false })
  @ApiIfMatch()
  @ApiExamples(UpdateConversationDto, {
    rename: { friendlyName: 'Order 4711, urgent', attributes: { crm: 'hubspot', urgent: true } },
    wait: { state: 'inactive' },
  })
  @ApiResponse({ status: 200, type: ConversationResponse })
  @ApiResponse({ status: 202, type: ConversationResponse, description: GOES_ON })
  @ApiFailures(...COMMAND_FAILURES, 'precondition_failed')
  update(
    @CommandOf() command: Command,
    @CallerOf() caller: Caller,
    @Param('conversation') conversation: string,
    @Body() body: UpdateConversationDto,
    @IfMatchOf() ifMatch: string | undefined,
  ): Promise<Reply> {
    return this.lifecycle.update(command, caller, conversation, body, ifMatch);
  }

  @Delete(':conversation')
  @HttpCode(204)
  @RequireScope('conversations:write')
  @ApiOperation({
    operationId: 'deleteConversation',
    summary: 'Delete a conversation, at Twilio too',
    description:
      'It does not wait for other commands: it ends them, and what provisions it. Gone for reads at once. 204 when Twilio has confirmed it; sent again before that, it waits for the same deletion. Its `externalRef` is free only then.',
  })
  @ApiCommand({ idempotencyKey: false })
  @ApiResponse({ status: 202, description: 'Gone for reads; Twilio has not confirmed yet.' })
  @ApiResponse({ status: 204 })
  @ApiFailures('missing_scope', 'not_found', 'uri_too_long', 'upstream_auth_failed')
  delete(
    @CommandOf() command: Command,
    @CallerOf() caller: Caller,
    @Param('conversation') conversation: string,
  ): Promise<Reply> {
    return this.lifecycle.delete(command, caller, conversation);
  }

  @Post(':conversation/close')
  @AnswersEtag()
  @HttpCode(200)
  @RequireScope('conversations:write')
  @ApiOperation({
    operationId: 'closeConversation',
    summary: 'Close a conversation, after a last word',
    description:
      'The last word is said before it is closed; when Twilio refuses that, the conversation stays open. Closing a closed one changes nothing.',
  })
  @ApiCommand()
  @ApiExamples(CloseConversationDto, { lastWord: { systemMessage: { body: 'Thank you. Good bye.' } } })
  @ApiResponse({ status: 200, type: ConversationResponse })
  @ApiResponse({ status: 202, type: ConversationResponse, description: GOES_ON })
  @ApiFailures(...ANY_STATE_FAILURES, ...KEYED_FAILURES)
  close(
    @CommandOf() command: Command,
    @CallerOf() caller: Caller,
    @Param('conversation') conversation: string,
    @Body() body: CloseConversationDto,
  ): Promise<Reply> {
    return this.lifecycle.close(command, caller, conversation, body);
  }

  @Post(':conversation/transfer')
  @AnswersEtag()
  @HttpCode(200)
  @RequireScope('conversations:write')
  @ApiOperation({
    operationId: 'transferConversation',
    summary: 'Hand a conversation over; the customer is never alone in it',
    description:
      '`to` joins, the system message is said, `from` leaves, in this order. When one of these is refused, `from` stays. Repeated after it was done, it changes nothing.',
  })
  @ApiCommand()
  @ApiExamples(TransferConversationDto, {
    handOver: {
      from: 'agent-7',
      to: { kind: 'agent', externalId: 'agent-8', displayName: 'Lin' },
      systemMessage: { body: 'Lin takes over from Ada.' },
    },
  })
  @ApiResponse({ status: 200, type: ConversationResponse })
  @ApiResponse({ status: 202, type: ConversationResponse, description: GOES_ON })
  @ApiFailures(
    ...COMMAND_FAILURES,
    'participant_not_found',
    'last_agent',
    'identity_suspended',
    'identity_conversation_limit',
    'identity_kind_mismatch',
    'address_in_use',
    ...READ_THROUGH_FAILURES,
    ...KEYED_FAILURES,
  )
  transfer(
    @CommandOf() command: Command,
    @CallerOf() caller: Caller,
    @Param('conversation') conversation: string,
    @Body() body: TransferConversationDto,
  ): Promise<Reply> {
    return this.lifecycle.transfer(command, caller, conversation, body);
  }

  @Post(':conversation/reconcile')
  @HttpCode(200)
  @AnswersEtag()
  @RequireScope('admin')
  @ApiOperation({
    operationId: 'reconcileConversation',
    summary: 'Have what is left to do about it tried now',
    description:
      'For when it is known that what stood in the way is gone. The pauses between tries are passed over.',
  })
  @ApiCommand({ idempotencyKey: false })
  @ApiResponse({ status: 200, type: ConversationResponse, description: 'Nothing is left to do.' })
  @ApiResponse({ status: 202, type: ConversationResponse, description: GOES_ON })
  @ApiFailures('validation_failed', 'missing_scope', 'not_found', 'uri_too_long', 'upstream_auth_failed')
  reconcile(
    @CommandOf() command: Command,
    @CallerOf() caller: Caller,
    @Param('conversation') conversation: string,
    @NothingIn('body') _: undefined,
  ): Promise<Reply> {
    return this.lifecycle.reconcile(command, caller, conversation);
  }
}
