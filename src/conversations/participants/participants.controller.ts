import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { CallerOf, RequireScope, type Caller } from '../../access/caller.js';
import {
  ApiCommand,
  ApiExamples,
  ApiFailures,
  ApiIfMatch,
  pageOf,
  READ_THROUGH_FAILURES,
} from '../../common/http/api-docs.js';
import { CommandOf, type Command } from '../../common/http/command.js';
import { AnswersEtag, IfMatchOf, withEtag } from '../../common/http/etag.js';
import { PageQuery, type Page } from '../../common/http/page.js';
import type { Reply } from '../../common/http/reply.js';
import { COMMAND_FAILURES, GOES_ON, KEYED_FAILURES } from '../command-docs.js';
import {
  NewParticipantDto,
  ParticipantResponse,
  RemoveParticipantQuery,
  UpdateParticipantDto,
} from './participant.dto.js';
import { ParticipantsService } from './participants.service.js';

@ApiTags('Participants')
@ApiBearerAuth()
@Controller('v1/conversations/:conversation/participants')
export class ParticipantsController {
  constructor(private readonly participants: ParticipantsService) {}

  @Post()
  @AnswersEtag()
  @RequireScope('conversations:write')
  @ApiOperation({
    operationId: 'addParticipant',
    summary: 'Add somebody to a conversation',
    description:
      'A person who is not known yet is made known. Who is in already is answered as he is. Adding somebody again who was removed makes a new participant.',
  })
  @ApiCommand()
  @ApiExamples(NewParticipantDto, {
    supervisor: { kind: 'supervisor', externalId: 'super-1', displayName: 'Grace' },
  })
  @ApiResponse({ status: 200, type: ParticipantResponse, description: 'Who was in already.' })
  @ApiResponse({ status: 201, type: ParticipantResponse })
  @ApiResponse({ status: 202, type: ParticipantResponse, description: GOES_ON })
  @ApiFailures(
    ...COMMAND_FAILURES,
    'identity_suspended',
    'identity_conversation_limit',
    'identity_kind_mismatch',
    'address_in_use',
    ...READ_THROUGH_FAILURES,
    ...KEYED_FAILURES,
  )
  add(
    @CommandOf() command: Command,
    @CallerOf() caller: Caller,
    @Param('conversation') conversation: string,
    @Body() body: NewParticipantDto,
  ): Promise<Reply> {
    return this.participants.add(command, caller, conversation, body);
  }

  @Get()
  @RequireScope('conversations:read')
  @ApiOperation({
    operationId: 'listParticipants',
    summary: 'List the participants, failed ones too',
    description: 'Those who were removed are not listed.',
  })
  @ApiResponse({ status: 200, type: pageOf(ParticipantResponse) })
  @ApiFailures('validation_failed', 'missing_scope', 'not_found', 'uri_too_long')
  list(
    @CallerOf() caller: Caller,
    @Param('conversation') conversation: string,
    @Query() query: PageQuery,
  ): Promise<Page<ParticipantResponse>> {
    return this.participants.list(caller, conversation, query);
  }

  @Get(':participant')
  @RequireScope('conversations:read')
  @ApiOperation({
    operationId: 'getParticipant',
    summary: 'Read a participant, by id, MB… or externalId',
    description: 'By the `externalId` of a person it is the newest one of him.',
  })
  @ApiResponse({ status: 200, type: ParticipantResponse })
  @ApiFailures('missing_scope', 'not_found', 'uri_too_long')
  async get(
    @CallerOf() caller: Caller,
    @Param('conversation') conversation: string,
    @Param('participant') participant: string,
  ): Promise<Reply> {
    return withEtag(await this.participants.get(caller, conversation, participant));
  }

  @Patch(':participant')
  @AnswersEtag()
  @RequireScope('conversations:write')
  @ApiOperation({
    operationId: 'updateParticipant',
    summary: 'Change the role or attributes of a participant',
    description: 'The role is changed at Twilio too; `attributes` are replaced whole.',
  })
  @ApiCommand({ idempotencyKey: false })
  @ApiIfMatch()
  @ApiExamples(UpdateParticipantDto, { promote: { role: 'supervisor', attributes: { shift: 'night' } } })
  @ApiResponse({ status: 200, type: ParticipantResponse })
  @ApiResponse({ status: 202, type: ParticipantResponse, description: GOES_ON })
  @ApiFailures(...COMMAND_FAILURES, 'participant_not_found', 'precondition_failed', ...READ_THROUGH_FAILURES)
  update(
    @CommandOf() command: Command,
    @CallerOf() caller: Caller,
    @Param('conversation') conversation: string,
    @Param('participant') participant: string,
    @Body() body: UpdateParticipantDto,
    @IfMatchOf() ifMatch: string | undefined,
  ): Promise<Reply> {
    return this.participants.update(command, caller, [conversation, participant], body, ifMatch);
  }

  @Delete(':participant')
  @HttpCode(204)
  @RequireScope('conversations:write')
  @ApiOperation({
    operationId: 'removeParticipant',
    summary: 'Remove somebody from a conversation',
    description: 'The last agent stays in an active conversation, unless `force` is true.',
  })
  @ApiCommand({ idempotencyKey: false })
  @ApiResponse({ status: 204 })
  @ApiResponse({ status: 202, type: ParticipantResponse, description: GOES_ON })
  @ApiFailures(...COMMAND_FAILURES, 'last_agent')
  remove(
    @CommandOf() command: Command,
    @CallerOf() caller: Caller,
    @Param('conversation') conversation: string,
    @Param('participant') participant: string,
    @Query() { force }: RemoveParticipantQuery,
  ): Promise<Reply> {
    return this.participants.remove(command, caller, [conversation, participant], force === 'true');
  }
}
