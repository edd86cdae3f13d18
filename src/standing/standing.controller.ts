import { Body, Controller, Delete, HttpCode, Param, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags, getSchemaPath } from '@nestjs/swagger';
import { CallerOf, RequireScope, type Caller } from '../access/caller.js';
import { ApiCommand, ApiExamples, ApiFailures, READ_THROUGH_FAILURES } from '../common/http/api-docs.js';
import { CommandOf, type Command } from '../common/http/command.js';
import { AnswersEtag } from '../common/http/etag.js';
import { NothingIn } from '../common/http/nothing-in.js';
import type { Reply } from '../common/http/reply.js';
import type { ErrorCode } from '../common/errors/error-catalog.js';
import { EraseIdentityDto, ErasureReceipt } from './standing.dto.js';
import { StandingService } from './standing.service.js';

const IDENTITY = { schema: { $ref: getSchemaPath('IdentityResponse') } };
const GOES_ON = { ...IDENTITY, status: 202, description: 'Not finished in time: the identity. It goes on.' };
const FAILURES: ErrorCode[] = [
  'validation_failed',
  'malformed_json',
  'missing_scope',
  'not_found',
  'idempotency_in_progress',
  'payload_too_large',
  'uri_too_long',
  'unsupported_media_type',
  'idempotency_key_reused',
  ...READ_THROUGH_FAILURES,
];

@ApiTags('Identities')
@ApiBearerAuth()
@Controller('v1/identities/:identity')
export class StandingController {
  constructor(private readonly standing: StandingService) {}

  /** `identities:write` suffices: what people have said stays, and who was in what. Erasing takes that away. */
  @Delete()
  @HttpCode(204)
  @RequireScope('identities:write')
  @ApiOperation({
    operationId: 'deleteIdentity',
    summary: 'Delete somebody who is in no open conversation, at Twilio too',
    description:
      'Suspended at once: no tokens, no conversations, and all token sessions end. 204 when the User at Twilio is gone; then there is no such identity, and its `externalId` is free. Conversations that have come to their end keep the name and the messages of the person: to have those forgotten, erase the person, before or after.',
  })
  @ApiCommand({ idempotencyKey: false })
  @ApiResponse({ status: 204 })
  @ApiResponse(GOES_ON)
  @ApiFailures('missing_scope', 'not_found', 'identity_in_use', 'uri_too_long', ...READ_THROUGH_FAILURES)
  delete(
    @CommandOf() command: Command,
    @CallerOf() caller: Caller,
    @Param('identity') identity: string,
  ): Promise<Reply> {
    return this.standing.delete(command, caller, identity);
  }

  @Post('suspend')
  @HttpCode(200)
  @AnswersEtag()
  @RequireScope('identities:write')
  @ApiOperation({
    operationId: 'suspendIdentity',
    summary: 'Suspend a person: no tokens, no conversations; out of the open ones, the last agent too',
    description:
      'Tokens are refused from now on, sessions end, and the person leaves every open conversation. An access token that is out lives to its expiry, but there is no conversation left to use it in.',
  })
  @ApiCommand()
  @ApiResponse({ status: 200, ...IDENTITY })
  @ApiResponse(GOES_ON)
  @ApiFailures(...FAILURES, 'answer_erased', 'identity_suspended')
  suspend(
    @CommandOf() command: Command,
    @CallerOf() caller: Caller,
    @Param('identity') identity: string,
    @NothingIn('body') _: undefined,
  ): Promise<Reply> {
    return this.standing.suspend(command, caller, identity);
  }

  @Post('reinstate')
  @HttpCode(200)
  @AnswersEtag()
  @RequireScope('identities:write')
  @ApiOperation({
    operationId: 'reinstateIdentity',
    summary: 'Let a suspended person take part again; in no conversation by itself',
    description: 'Whoever should be in a conversation again is added again.',
  })
  @ApiCommand()
  @ApiResponse({ status: 200, ...IDENTITY })
  @ApiResponse(GOES_ON)
  @ApiFailures(...FAILURES, 'answer_erased', 'identity_suspended')
  reinstate(
    @CommandOf() command: Command,
    @CallerOf() caller: Caller,
    @Param('identity') identity: string,
    @NothingIn('body') _: undefined,
  ): Promise<Reply> {
    return this.standing.reinstate(command, caller, identity);
  }

  @Post('erase')
  @HttpCode(200)
  @RequireScope('identities:erase')
  @ApiOperation({
    operationId: 'eraseIdentity',
    summary: 'Forget who a person was, here and at Twilio; final',
    description:
      'Name, `externalId` and attributes are forgotten, stored answers that hold them are blanked, and the person’s own messages lose author and body. In a closed conversation messages can only go with it: `delete` removes those conversations, `keep` lists them. The receipt says what was done where. Neither reached nor counted in it: what others wrote about the person, names and attributes of conversations, an address that was never linked to the person, media at Twilio.',
  })
  @ApiCommand()
  @ApiExamples(EraseIdentityDto, { keep: { messages: 'keep' }, delete: { messages: 'delete' } })
  @ApiResponse({ status: 200, type: ErasureReceipt })
  @ApiResponse(GOES_ON)
  @ApiFailures(...FAILURES)
  erase(
    @CommandOf() command: Command,
    @CallerOf() caller: Caller,
    @Param('identity') identity: string,
    @Body() body: EraseIdentityDto,
  ): Promise<Reply> {
    return this.standing.erase(command, caller, identity, body);
  }
}
