import { ApiProperty, ApiPropertyOptional, OmitType } from '@nestjs/swagger';
import type { FieldError } from '../../common/errors/app-error.js';
import { ERROR_CATALOG, type ErrorCode } from '../../common/errors/error-catalog.js';
import { FieldErrorSchema } from '../../common/http/api-docs.js';
import { Rule } from '../../common/validation/rule.js';
import { IsExternalId } from '../../common/validation/text.js';
import { UpsertIdentityDto } from '../identity.dto.js';

/** One line of an import: what `PUT /v1/identities/by-external-id/{externalId}` takes, with the `externalId` in it. */
export class ImportedIdentityDto extends OmitType(UpsertIdentityDto, ['externalId']) {
  @ApiProperty({
    minLength: 1,
    maxLength: 255,
    example: 'cust-42',
    description: 'Your own id of the person.',
  })
  @IsExternalId()
  externalId!: string;

  @Rule<ImportedIdentityDto>(
    'notImported',
    ({ serviceRole }) => serviceRole === undefined,
    'cannot be imported: it is given by PUT /v1/identities/{identity}/service-role',
  )
  serviceRole?: unknown;
}

const STATUSES = ['created', 'updated', 'unchanged', 'failed'] as const;

/** What became of one line. */
export class ImportResult {
  @ApiProperty({ type: 'integer', minimum: 1, description: 'Counted from 1, empty lines too.' })
  line!: number;
  @ApiProperty({ enum: STATUSES, enumName: 'ImportStatus' }) status!: (typeof STATUSES)[number];
  @ApiPropertyOptional({ format: 'uuid', description: 'Of the identity, unless the line failed.' })
  id?: string;
  @ApiPropertyOptional({ enum: Object.keys(ERROR_CATALOG), enumName: 'ErrorCode' }) code?: ErrorCode;
  @ApiPropertyOptional({ type: [FieldErrorSchema], description: '`line` where no single field is wrong.' })
  errors?: FieldError[];
  @ApiPropertyOptional({
    enum: [true],
    description: 'The import ended early: this line and those after it were not read. Send them again.',
  })
  ended?: true;
}
