import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { ArrayMaxSize, ArrayMinSize, IsArray, IsBoolean, IsString, MaxLength } from 'class-validator';
import { PageQuery } from '../common/http/page.js';
import { IfGiven } from '../common/validation/text.js';
import { CONVERSATION_DRIFTS, REPAIRS } from '../conversations/drift/conversation-drift.service.js';
import { IDENTITY_DRIFTS } from '../identities/identity-drift.service.js';
import { OUTCOMES, type Finding, type Outcome } from './finding.js';

export const DRIFTS = [...CONVERSATION_DRIFTS, ...IDENTITY_DRIFTS, 'conversation_orphan'] as const;

const PARTS = ['conversations', 'identities', 'orphans'];
const NAMES_MAX = 100;
const NAME_LENGTH_MAX = 64;

export class RepairDriftDto extends PageQuery {
  @ApiPropertyOptional({
    type: [String],
    minItems: 1,
    maxItems: NAMES_MAX,
    example: ['01932d3e-7a1b-7c3d-8e4f-5a6b7c8d9e0f'],
    description: 'These alone, by our id or `CH…`, in place of a page.',
  })
  @IfGiven()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(NAMES_MAX)
  @IsString({ each: true })
  @MaxLength(NAME_LENGTH_MAX, { each: true })
  conversations?: string[];

  @ApiPropertyOptional({
    type: Boolean,
    default: false,
    description:
      'Have people in again whom Twilio has lost, and make lost Users with a service role again. Without it their being gone is adopted.',
  })
  @IfGiven()
  @IsBoolean()
  readd?: boolean;

  @ApiPropertyOptional({
    type: Boolean,
    default: false,
    description:
      'Delete conversations with a unique name of ours that no row knows. **Not where another Convoke database uses the same chat service, nor after a backup was restored**: theirs, and what came after the backup, look the same.',
  })
  @IfGiven()
  @IsBoolean()
  deleteOrphans?: boolean;
}

export class DriftedConversationSchema {
  @ApiProperty({ type: String, format: 'uuid', nullable: true, description: 'Null: no row knows it.' })
  id!: string | null;
  @ApiProperty({ type: String, nullable: true, description: '`CH…`' }) twilioSid!: string | null;
  @ApiProperty({ type: String, nullable: true }) externalRef!: string | null;
}

export class DriftedPersonSchema {
  @ApiProperty({ format: 'uuid' }) id!: string;
  @ApiProperty({ type: String, nullable: true }) externalId!: string | null;
}

export class DriftedParticipantSchema {
  @ApiProperty({ type: String, format: 'uuid', nullable: true, description: 'Null: no row knows him.' })
  id!: string | null;
  @ApiProperty({ type: String, nullable: true, description: '`MB…`' }) twilioSid!: string | null;
  @ApiProperty({ type: DriftedPersonSchema, nullable: true }) identity!: DriftedPersonSchema | null;
}

export class DriftedMessageSchema {
  @ApiProperty({ format: 'uuid' }) id!: string;
  @ApiProperty({ description: '`IM…` of the twin.' }) twilioSid!: string;
}

export class DriftedIdentitySchema extends DriftedPersonSchema {
  @ApiProperty({ type: String, nullable: true, description: '`US…` as our row has it.' })
  twilioSid!: string | null;
}

const VALUE = [
  { type: 'string' },
  { type: 'object', additionalProperties: true },
  { type: 'null' },
] as unknown as { type: string }[];

export class DriftFindingResponse implements Omit<Finding, 'outcome' | 'detail'> {
  @ApiProperty({ enum: DRIFTS, enumName: 'DriftKind', example: 'conversation_state' }) kind!: Finding['kind'];
  @ApiProperty({ type: DriftedConversationSchema, nullable: true })
  conversation!: DriftedConversationSchema | null;
  @ApiProperty({ type: DriftedParticipantSchema, nullable: true })
  participant!: DriftedParticipantSchema | null;
  @ApiProperty({ type: DriftedMessageSchema, nullable: true }) message!: DriftedMessageSchema | null;
  @ApiProperty({ type: DriftedIdentitySchema, nullable: true }) identity!: DriftedIdentitySchema | null;
  @ApiProperty({ oneOf: VALUE, description: 'What our row has.', example: 'active' }) ours!: unknown;
  @ApiProperty({ oneOf: VALUE, description: 'What Twilio has.', example: 'closed' }) twilio!: unknown;
  @ApiProperty({
    enum: REPAIRS,
    enumName: 'DriftRepair',
    example: 'adopt',
    description:
      'What a repair does: `adopt` Twilio’s fact into our row, `update` or `remove` at Twilio; `none`: nothing that is safe.',
  })
  repair!: Finding['repair'];

  static from({ kind, conversation, participant, message, identity, ours, twilio, repair }: Finding) {
    const shown = { kind, conversation, participant, message, identity, ours, twilio, repair };
    return Object.assign(new DriftFindingResponse(), shown);
  }
}

export class DriftRepairResponse extends DriftFindingResponse {
  @ApiProperty({
    enum: OUTCOMES,
    enumName: 'DriftOutcome',
    description: '`pending`: it goes on without the caller, as every wish; see `GET /v1/reconciliation`.',
  })
  outcome!: Outcome;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'Why it was left, or what was done instead.',
    example: null,
  })
  detail!: string | null;

  static override from(finding: Finding): DriftRepairResponse {
    const { outcome, detail } = finding;
    return Object.assign(new DriftRepairResponse(), DriftFindingResponse.from(finding), {
      outcome: outcome ?? 'left',
      detail,
    });
  }
}

interface PageOf<T> {
  part: string;
  data: T[];
  checked: number;
  inMotion: string[];
  nextCursor: string | null;
}

class DriftPageBase {
  @ApiProperty({ enum: PARTS, enumName: 'DriftPart', description: 'What this page is of, in this order.' })
  part!: string;
  @ApiProperty({ type: 'integer', example: 20, description: 'How many were compared.' }) checked!: number;
  @ApiProperty({
    type: [String],
    description:
      'Ids of conversations or identities that were skipped, as something is being done about them. Look again later.',
  })
  inMotion!: string[];
  @ApiProperty({
    type: String,
    nullable: true,
    description: 'For `cursor`; null on the last page. A page may be short, or empty, and not be the last.',
  })
  nextCursor!: string | null;
}

export class DriftPageResponse extends DriftPageBase {
  @ApiProperty({ type: [DriftFindingResponse] }) data!: DriftFindingResponse[];

  static from(page: PageOf<Finding>): DriftPageResponse {
    const { part, checked, inMotion, nextCursor } = page;
    const data = page.data.map((finding) => DriftFindingResponse.from(finding));
    return Object.assign(new DriftPageResponse(), { part, data, checked, inMotion, nextCursor });
  }
}

export class DriftRepairPageResponse extends DriftPageBase {
  @ApiProperty({ type: [DriftRepairResponse] }) data!: DriftRepairResponse[];

  static from(page: PageOf<Finding>): DriftRepairPageResponse {
    const { part, checked, inMotion, nextCursor } = page;
    const data = page.data.map((finding) => DriftRepairResponse.from(finding));
    return Object.assign(new DriftRepairPageResponse(), { part, data, checked, inMotion, nextCursor });
  }
}
