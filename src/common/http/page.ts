import { ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';
import { AppError } from '../errors/app-error.js';
import { isUuid } from '../validation/text.js';

/** Query of every list. */
export class PageQuery {
  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    maximum: 100,
    default: 20,
    description: 'Rows in the answer.',
  })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(100)
  limit: number = 20;

  @ApiPropertyOptional({ description: '`nextCursor` of the page before.', maxLength: 512 })
  @IsOptional()
  @IsString()
  @MaxLength(512)
  cursor?: string;
}

/** One page of a list, ordered by id: ids are UUIDs of version 7, so the order is that of creation, and it is stable. */
export interface Page<T> {
  data: T[];
  nextCursor: string | null;
}

/** The id after which the page begins, or null for the first page. */
export function cursorId(query: PageQuery): string | null {
  if (query.cursor === undefined) return null;
  const id = Buffer.from(query.cursor, 'base64url').toString('latin1');
  if (!isUuid(id)) throw AppError.invalid('cursor', 'is not a cursor of this list');
  return id;
}

/** Makes the page out of one row more than was asked for, which tells whether there is a next one. */
export function toPage<Row extends { id: string }>(rows: Row[], limit: number): Page<Row> {
  const data = rows.slice(0, limit);
  const last = data.at(-1);
  const nextCursor =
    rows.length > limit && last ? Buffer.from(last.id, 'latin1').toString('base64url') : null;
  return { data, nextCursor };
}
