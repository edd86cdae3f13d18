import { Body, Controller, Get, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { CallerOf, RequireScope, type Caller } from '../access/caller.js';
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
import { PageQuery, type Page } from '../common/http/page.js';
import type { Reply } from '../common/http/reply.js';
import { ChatServiceResponse, CreateChatServiceDto, UpdateChatServiceDto } from './chat-service.dto.js';
import { ChatServicesService } from './chat-services.service.js';

@ApiTags('Chat services')
@ApiBearerAuth()
@Controller('v1/services')
export class ChatServicesController {
  constructor(private readonly services: ChatServicesService) {}

  @Post()
  @AnswersEtag()
  @RequireScope('operator')
  @ApiOperation({
    operationId: 'createService',
    summary: 'Make a chat service, or adopt one that Twilio has',
    description:
      'With `friendlyName` one is made at Twilio, with Convoke’s preset roles; with `twilioSid` one that Twilio has is taken in.',
  })
  @ApiCommand()
  @ApiExamples(CreateChatServiceDto, {
    make: { friendlyName: 'Support' },
    adopt: { twilioSid: 'IS0123456789abcdef0123456789abcdef' },
  })
  @ApiResponse({ status: 201, type: ChatServiceResponse })
  @ApiResponse({ status: 202, type: ChatServiceResponse, description: 'Not finished in time; it goes on.' })
  @ApiFailures(
    'validation_failed',
    'missing_scope',
    'service_exists',
    'idempotency_in_progress',
    'idempotency_key_reused',
    'upstream_refused',
    ...READ_THROUGH_FAILURES,
  )
  create(
    @CommandOf() command: Command,
    @CallerOf() caller: Caller,
    @Body() body: CreateChatServiceDto,
  ): Promise<Reply> {
    return this.services.create(command, caller, body);
  }

  @Get()
  @RequireScope('operator')
  @ApiOperation({
    operationId: 'listServices',
    summary: 'List the chat services, newest first',
    description: 'Of this deployment of Convoke, for operators.',
  })
  @ApiResponse({ status: 200, type: pageOf(ChatServiceResponse) })
  @ApiFailures('validation_failed', 'missing_scope')
  async list(@Query() query: PageQuery): Promise<Page<ChatServiceResponse>> {
    const page = await this.services.list(query);
    return { ...page, data: page.data.map((entity) => ChatServiceResponse.from(entity)) };
  }

  @Get(':id')
  @RequireScope('admin', 'operator')
  @ApiOperation({
    operationId: 'getService',
    summary: 'Read a chat service',
    description: 'An admin reads his own, an operator any.',
  })
  @ApiResponse({ status: 200, type: ChatServiceResponse })
  @ApiFailures('missing_scope', 'not_found')
  async get(@CallerOf() caller: Caller, @Param('id') id: string): Promise<Reply> {
    return withEtag(ChatServiceResponse.from(await this.services.get(caller, id)));
  }

  @Patch(':id')
  @RequireScope('admin', 'operator')
  @ApiOperation({
    operationId: 'updateService',
    summary: 'Change the settings of a chat service',
    description: 'The settings alone: Twilio cannot rename a chat service. What is left out stays.',
  })
  @ApiIfMatch()
  @ApiExamples(UpdateChatServiceDto, {
    set: { defaultTimers: { inactive: 'PT1H', closed: 'P1D' } },
    names: { shareDisplayNames: true },
    exchange: {
      tokenExchange: {
        issuer: 'https://login.example.com',
        audience: 'support-chat',
        jwksUrl: 'https://login.example.com/.well-known/jwks.json',
      },
    },
    clear: { defaultTimers: null, tokenExchange: null, shareDisplayNames: false },
  })
  @ApiResponse({ status: 200, type: ChatServiceResponse })
  @ApiFailures('validation_failed', 'missing_scope', 'not_found', 'precondition_failed')
  async update(
    @CallerOf() caller: Caller,
    @Param('id') id: string,
    @Body() body: UpdateChatServiceDto,
    @IfMatchOf() ifMatch: string | undefined,
  ): Promise<Reply> {
    return withEtag(ChatServiceResponse.from(await this.services.update(caller, id, body, ifMatch)));
  }
}
