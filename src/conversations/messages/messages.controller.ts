import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Param,
  Patch,
  Post,
  Query,
  UseGuards,
} from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { CallerOf, RequireScope, type Caller } from '../../access/caller.js';
import {
  ApiCommand,
  ApiExamples,
  ApiFailures,
  pageOf,
  READ_THROUGH_FAILURES,
} from '../../common/http/api-docs.js';
import { CommandOf, type Command } from '../../common/http/command.js';
import { RefuseIfMatch } from '../../common/http/etag.js';
import type { Page } from '../../common/http/page.js';
import type { Reply } from '../../common/http/reply.js';
import { COMMAND_FAILURES, GOES_ON, KEYED_FAILURES, READ_FAILURES } from '../command-docs.js';
import {
  CreateMessageDto,
  DeleteMessageQuery,
  ListMessagesQuery,
  MessageResponse,
  SystemMessageDto,
  UpdateMessageDto,
} from './message.dto.js';
import { MessagesService } from './messages.service.js';

@ApiTags('Messages')
@ApiBearerAuth()
@Controller('v1/conversations/:conversation')
export class MessagesController {
  constructor(private readonly messages: MessagesService) {}

  @Post('system-messages')
  @RequireScope('messages:write')
  @ApiOperation({
    operationId: 'sendSystemMessage',
    summary: 'Say something as the system',
    description: 'Messages of one conversation are sent in the order in which they were accepted.',
  })
  @ApiCommand()
  @ApiExamples(SystemMessageDto, { notice: { body: 'Ada is looking for your order.' } })
  @ApiResponse({ status: 201, type: MessageResponse })
  @ApiResponse({ status: 202, type: MessageResponse, description: GOES_ON })
  @ApiFailures(...COMMAND_FAILURES, ...KEYED_FAILURES)
  sendAsSystem(
    @CommandOf() command: Command,
    @CallerOf() caller: Caller,
    @Param('conversation') conversation: string,
    @Body() body: SystemMessageDto,
  ): Promise<Reply> {
    return this.messages.sendAsSystem(command, caller, conversation, body);
  }

  @Post('messages')
  @RequireScope('messages:write')
  @ApiOperation({
    operationId: 'sendMessage',
    summary: 'Say something for a participant, as far as its role permits',
    description:
      'Twilio does not check roles on calls like this one, so Convoke does: an author whose role does not permit it is refused. An address acts by the preset `customer`.',
  })
  @ApiCommand()
  @ApiExamples(CreateMessageDto, { reply: { author: 'agent-7', body: 'Hello Bob, how can I help?' } })
  @ApiResponse({ status: 201, type: MessageResponse })
  @ApiResponse({ status: 202, type: MessageResponse, description: GOES_ON })
  @ApiFailures(
    ...COMMAND_FAILURES,
    'role_forbids',
    'identity_suspended',
    'participant_not_found',
    ...READ_THROUGH_FAILURES,
    ...KEYED_FAILURES,
  )
  sendAs(
    @CommandOf() command: Command,
    @CallerOf() caller: Caller,
    @Param('conversation') conversation: string,
    @Body() body: CreateMessageDto,
  ): Promise<Reply> {
    return this.messages.sendAs(command, caller, conversation, body);
  }

  @Get('messages')
  @RequireScope('messages:read')
  @ApiOperation({
    operationId: 'listMessages',
    summary: 'List the messages, as Twilio has them',
    description: 'Also what was said without Convoke: those messages have no `id`.',
  })
  @ApiResponse({ status: 200, type: pageOf(MessageResponse) })
  @ApiFailures('validation_failed', ...READ_FAILURES)
  list(
    @CallerOf() caller: Caller,
    @Param('conversation') conversation: string,
    @Query() query: ListMessagesQuery,
  ): Promise<Page<MessageResponse>> {
    return this.messages.list(caller, conversation, query);
  }

  @Get('messages/:message')
  @RequireScope('messages:read')
  @ApiOperation({
    operationId: 'getMessage',
    summary: 'Read a message, by id or IM…',
    description: 'As Twilio has it; or as it waits to be sent, or was refused.',
  })
  @ApiResponse({ status: 200, type: MessageResponse })
  @ApiFailures(...READ_FAILURES)
  get(
    @CallerOf() caller: Caller,
    @Param('conversation') conversation: string,
    @Param('message') message: string,
  ): Promise<MessageResponse> {
    return this.messages.get(caller, conversation, message);
  }

  @Patch('messages/:message')
  @UseGuards(RefuseIfMatch)
  @RequireScope('messages:write')
  @ApiOperation({
    operationId: 'updateMessage',
    summary: 'Change a message',
    description: 'As the system, or for the `actor`, as far as its role permits.',
  })
  @ApiCommand({ idempotencyKey: false })
  @ApiExamples(UpdateMessageDto, {
    correct: { body: 'Hello Bob, how may I help?', attributes: { edited: true } },
  })
  @ApiResponse({ status: 200, type: MessageResponse })
  @ApiResponse({ status: 202, type: MessageResponse, description: GOES_ON })
  @ApiFailures(...COMMAND_FAILURES, 'role_forbids', 'participant_not_found', ...READ_THROUGH_FAILURES)
  update(
    @CommandOf() command: Command,
    @CallerOf() caller: Caller,
    @Param('conversation') conversation: string,
    @Param('message') message: string,
    @Body() body: UpdateMessageDto,
  ): Promise<Reply> {
    return this.messages.update({ ...command, idempotencyHash: null }, caller, [conversation, message], body);
  }

  @Delete('messages/:message')
  @UseGuards(RefuseIfMatch)
  @HttpCode(204)
  @RequireScope('messages:write')
  @ApiOperation({
    operationId: 'deleteMessage',
    summary: 'Delete a message',
    description: 'As the system, or for the `actor`, as far as its role permits.',
  })
  @ApiCommand({ idempotencyKey: false })
  @ApiResponse({ status: 204 })
  @ApiResponse({ status: 202, type: MessageResponse, description: GOES_ON })
  @ApiFailures(...COMMAND_FAILURES, 'role_forbids', 'participant_not_found', ...READ_THROUGH_FAILURES)
  remove(
    @CommandOf() command: Command,
    @CallerOf() caller: Caller,
    @Param('conversation') conversation: string,
    @Param('message') message: string,
    @Query() { actor }: DeleteMessageQuery,
  ): Promise<Reply> {
    return this.messages.remove(
      { ...command, idempotencyHash: null },
      caller,
      [conversation, message],
      actor,
    );
  }
}
