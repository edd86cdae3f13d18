import { Body, Controller, Get, Param, Patch, Post, Put, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import { CallerOf, RequireScope, type Caller } from '../access/caller.js';
import {
  ApiExamples,
  ApiCommand,
  ApiFailures,
  ApiIdempotent,
  ApiIfMatch,
  pageOf,
  READ_THROUGH_FAILURES,
} from '../common/http/api-docs.js';
import { CommandOf, type Command } from '../common/http/command.js';
import { AnswersEtag, IfMatchOf, withEtag } from '../common/http/etag.js';
import type { Page } from '../common/http/page.js';
import type { Reply } from '../common/http/reply.js';
import {
  AssignServiceRoleDto,
  CreateIdentityWithRoleDto,
  IdentityResponse,
  ListIdentitiesQuery,
  UpdateIdentityDto,
  UpsertIdentityDto,
} from './identity.dto.js';
import { IdentitiesService } from './identities.service.js';

@ApiTags('Identities')
@ApiBearerAuth()
@Controller('v1/identities')
export class IdentitiesController {
  constructor(private readonly identities: IdentitiesService) {}

  @Post()
  @AnswersEtag()
  @RequireScope('identities:write')
  @ApiOperation({
    operationId: 'createIdentity',
    summary: 'Make a person or bot known',
    description:
      'Twilio gets an opaque name for the person, and neither the `externalId` nor the `attributes`.',
  })
  @ApiIdempotent()
  @ApiExamples(CreateIdentityWithRoleDto, {
    customer: {
      kind: 'customer',
      externalId: 'cust-42',
      displayName: 'Bob',
      attributes: { segment: 'gold' },
    },
    agent: { kind: 'agent', externalId: 'agent-7' },
  })
  @ApiResponse({ status: 201, type: IdentityResponse })
  @ApiResponse({
    status: 202,
    type: IdentityResponse,
    description: 'With a role: not finished in time; it goes on.',
  })
  @ApiFailures(
    'validation_failed',
    'missing_scope',
    'identity_exists',
    'idempotency_in_progress',
    'answer_erased',
    'idempotency_key_reused',
    'upstream_refused',
    ...READ_THROUGH_FAILURES,
  )
  create(
    @CommandOf() command: Command,
    @CallerOf() caller: Caller,
    @Body() body: CreateIdentityWithRoleDto,
  ): Promise<Reply> {
    return this.identities.create(command, caller, body);
  }

  @Put('by-external-id/:externalId')
  @RequireScope('identities:write')
  @ApiOperation({
    operationId: 'upsertIdentity',
    summary: 'Make a person known, or change what is known',
    description: 'A key that is left out stays, `null` clears it. The kind cannot be changed.',
  })
  @ApiParam({ name: 'externalId', description: 'Your own id of the person.', example: 'cust-42' })
  @ApiIfMatch()
  @ApiExamples(UpsertIdentityDto, { customer: { kind: 'customer', displayName: 'Bob' } })
  @ApiResponse({ status: 200, type: IdentityResponse, description: 'It was known.' })
  @ApiResponse({ status: 201, type: IdentityResponse, description: 'This call made it known.' })
  @ApiFailures(
    'validation_failed',
    'missing_scope',
    'identity_suspended',
    'identity_kind_mismatch',
    'precondition_failed',
  )
  async upsert(
    @CallerOf() caller: Caller,
    @Param('externalId') externalId: string,
    @Body() body: UpsertIdentityDto,
    @IfMatchOf() ifMatch: string | undefined,
  ): Promise<Reply> {
    const { identity, created } = await this.identities.upsert(caller, externalId, body, ifMatch);
    return withEtag(identity, created ? 201 : 200, { location: `/v1/identities/${identity.id}` });
  }

  @Get()
  @RequireScope('identities:read')
  @ApiOperation({
    operationId: 'listIdentities',
    summary: 'List identities, newest first',
    description: 'The filters may be combined.',
  })
  @ApiResponse({ status: 200, type: pageOf(IdentityResponse) })
  @ApiFailures('validation_failed', 'missing_scope')
  list(@CallerOf() caller: Caller, @Query() query: ListIdentitiesQuery): Promise<Page<IdentityResponse>> {
    return this.identities.list(caller, query);
  }

  @Get(':identity')
  @RequireScope('identities:read')
  @ApiOperation({
    operationId: 'getIdentity',
    summary: 'Read an identity, by id or US…',
    description: 'One that was erased is there without name and `externalId`.',
  })
  @ApiResponse({ status: 200, type: IdentityResponse })
  @ApiFailures('missing_scope', 'not_found', ...READ_THROUGH_FAILURES)
  async get(@CallerOf() caller: Caller, @Param('identity') identity: string): Promise<Reply> {
    return withEtag(await this.identities.get(caller, identity));
  }

  @Patch(':identity')
  @RequireScope('identities:write')
  @ApiOperation({
    operationId: 'updateIdentity',
    summary: 'Change an identity',
    description: 'A key that is left out stays, `null` clears it.',
  })
  @ApiIfMatch()
  @ApiExamples(UpdateIdentityDto, { rename: { displayName: 'Robert' }, clear: { attributes: null } })
  @ApiResponse({ status: 200, type: IdentityResponse })
  @ApiFailures(
    'validation_failed',
    'missing_scope',
    'identity_suspended',
    'not_found',
    'precondition_failed',
    ...READ_THROUGH_FAILURES,
  )
  async update(
    @CallerOf() caller: Caller,
    @Param('identity') identity: string,
    @Body() body: UpdateIdentityDto,
    @IfMatchOf() ifMatch: string | undefined,
  ): Promise<Reply> {
    return withEtag(await this.identities.update(caller, identity, body, ifMatch));
  }

  @Put(':identity/service-role')
  @AnswersEtag()
  @RequireScope('roles:write')
  @ApiOperation({
    operationId: 'assignServiceRole',
    summary: 'Give an identity a service role',
    description:
      'What the person may do in the chat service as a whole: a role of the type `service`, by its friendly name or sid.',
  })
  @ApiCommand({ idempotencyKey: false })
  @ApiExamples(AssignServiceRoleDto, { user: { role: 'service user' } })
  @ApiResponse({ status: 200, type: IdentityResponse })
  @ApiResponse({ status: 202, type: IdentityResponse, description: 'Not finished in time; it goes on.' })
  @ApiFailures(
    'validation_failed',
    'missing_scope',
    'identity_suspended',
    'not_found',
    'uri_too_long',
    'upstream_refused',
    ...READ_THROUGH_FAILURES,
  )
  assignServiceRole(
    @CommandOf() command: Command,
    @CallerOf() caller: Caller,
    @Param('identity') identity: string,
    @Body() { role }: AssignServiceRoleDto,
  ): Promise<Reply> {
    return this.identities.assignServiceRole(command, caller, identity, role);
  }
}
