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
import { ApiBearerAuth, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import { CallerOf, RequireScope, type Caller } from '../access/caller.js';
import type { ErrorCode } from '../common/errors/error-catalog.js';
import {
  ApiCommand,
  ApiExamples,
  ApiFailures,
  pageOf,
  READ_THROUGH_FAILURES,
} from '../common/http/api-docs.js';
import { CommandOf, type Command } from '../common/http/command.js';
import { RefuseIfMatch } from '../common/http/etag.js';
import { PageQuery, type Page } from '../common/http/page.js';
import { NothingIn } from '../common/http/nothing-in.js';
import type { Reply } from '../common/http/reply.js';
import { RoleCommands } from './role-commands.js';
import { RoleDirectory } from './role-directory.js';
import { CreateRoleDto, RoleDriftResponse, RoleResponse, UpdateRoleDto } from './role.dto.js';

const GOES_ON = 'Not finished in time; it goes on.';

const READ_FAILURES: ErrorCode[] = ['validation_failed', ...READ_THROUGH_FAILURES];

const COMMAND_FAILURES: ErrorCode[] = [
  'validation_failed',
  'missing_scope',
  'upstream_refused',
  'upstream_auth_failed',
];

/** Of one that is there: it is read first. */
const CHANGE_FAILURES: ErrorCode[] = [
  ...COMMAND_FAILURES,
  ...READ_THROUGH_FAILURES,
  'not_found',
  'uri_too_long',
  'role_is_preset',
];

const KEYED_FAILURES: ErrorCode[] = ['idempotency_in_progress', 'idempotency_key_reused'];

@ApiTags('Roles')
@ApiBearerAuth()
@UseGuards(RefuseIfMatch)
@Controller('v1/roles')
export class RolesController {
  constructor(
    private readonly directory: RoleDirectory,
    private readonly commands: RoleCommands,
  ) {}

  @Get()
  @ApiOperation({
    operationId: 'listRoles',
    summary: 'List the roles, presets among them, newest first',
    description: 'As Twilio has them.',
  })
  @ApiResponse({ status: 200, type: pageOf(RoleResponse) })
  @ApiFailures(...READ_FAILURES)
  list(@CallerOf() caller: Caller, @Query() query: PageQuery): Promise<Page<RoleResponse>> {
    return this.directory.list(caller.serviceId, query);
  }

  @Post()
  @RequireScope('roles:write')
  @ApiOperation({
    operationId: 'createRole',
    summary: 'Make a role',
    description: 'A friendly name that two roles bear cannot be used to name one: take another, or the sid.',
  })
  @ApiCommand()
  @ApiExamples(CreateRoleDto, {
    moderator: {
      friendlyName: 'moderator',
      type: 'conversation',
      permissions: ['sendMessage', 'editAnyMessage', 'deleteAnyMessage', 'removeParticipant'],
    },
    opener: { friendlyName: 'opener', type: 'service', permissions: ['createConversation'] },
  })
  @ApiResponse({ status: 201, type: RoleResponse })
  @ApiResponse({ status: 202, type: RoleResponse, description: GOES_ON })
  @ApiFailures(...COMMAND_FAILURES, ...KEYED_FAILURES)
  create(
    @CommandOf() command: Command,
    @CallerOf() caller: Caller,
    @Body() body: CreateRoleDto,
  ): Promise<Reply> {
    return this.commands.create(command, caller, body);
  }

  @Get('drift')
  @ApiOperation({
    operationId: 'getRoleDrift',
    summary: 'Compare the presets with what Twilio has',
    description: 'What the presets lack or have too many of at Twilio, and who bears their names besides.',
  })
  @ApiResponse({ status: 200, type: RoleDriftResponse })
  @ApiFailures(...READ_FAILURES)
  drift(@CallerOf() caller: Caller): Promise<RoleDriftResponse> {
    return this.directory.drift(caller.serviceId);
  }

  @Post('repair')
  @HttpCode(200)
  @RequireScope('roles:write')
  @ApiOperation({
    operationId: 'repairRoles',
    summary: 'Give the presets at Twilio what they should have',
    description: 'Permissions are set as they should be; a preset that is gone is made again.',
  })
  @ApiCommand()
  @ApiResponse({
    status: 200,
    type: RoleDriftResponse,
    description: 'What Twilio has now. Other replicas follow within ten seconds.',
  })
  @ApiResponse({ status: 202, type: RoleDriftResponse, description: GOES_ON })
  @ApiFailures(...COMMAND_FAILURES, ...KEYED_FAILURES)
  repair(
    @CommandOf() command: Command,
    @CallerOf() caller: Caller,
    @NothingIn('body') _: undefined,
  ): Promise<Reply> {
    return this.commands.repair(command, caller);
  }

  @Get(':sid')
  @ApiOperation({
    operationId: 'getRole',
    summary: 'Read a role, by RL… or id',
    description: 'As Twilio has it, or as it waits to be made.',
  })
  @ApiParam({ name: 'sid', description: '`RL…`, or the id of one that came through Convoke.' })
  @ApiResponse({ status: 200, type: RoleResponse })
  @ApiFailures(...READ_FAILURES, 'not_found', 'uri_too_long')
  get(@CallerOf() caller: Caller, @Param('sid') sid: string): Promise<RoleResponse> {
    return this.directory.get(caller.serviceId, sid);
  }

  @Patch(':sid')
  @RequireScope('roles:write')
  @ApiOperation({
    operationId: 'updateRole',
    summary: 'Change the permissions of a role',
    description: 'Replaces all its permissions. The presets cannot be changed.',
  })
  @ApiParam({ name: 'sid', description: '`RL…`, or the id of one that came through Convoke.' })
  @ApiCommand({ idempotencyKey: false })
  @ApiExamples(UpdateRoleDto, { fewer: { permissions: ['sendMessage'] } })
  @ApiResponse({ status: 200, type: RoleResponse })
  @ApiResponse({ status: 202, type: RoleResponse, description: GOES_ON })
  @ApiFailures(...CHANGE_FAILURES)
  update(
    @CommandOf() command: Command,
    @CallerOf() caller: Caller,
    @Param('sid') sid: string,
    @Body() body: UpdateRoleDto,
  ): Promise<Reply> {
    return this.commands.update({ ...command, idempotencyHash: null }, caller, sid, body);
  }

  @Delete(':sid')
  @HttpCode(204)
  @RequireScope('roles:write')
  @ApiOperation({
    operationId: 'deleteRole',
    summary: 'Delete a role',
    description: 'Twilio decides whether one that is in use may go. The presets may not.',
  })
  @ApiParam({ name: 'sid', description: '`RL…`, or the id of one that came through Convoke.' })
  @ApiCommand({ idempotencyKey: false })
  @ApiResponse({ status: 204 })
  @ApiResponse({ status: 202, type: RoleResponse, description: GOES_ON })
  @ApiFailures(...CHANGE_FAILURES)
  remove(
    @CommandOf() command: Command,
    @CallerOf() caller: Caller,
    @Param('sid') sid: string,
  ): Promise<Reply> {
    return this.commands.remove({ ...command, idempotencyHash: null }, caller, sid);
  }
}
