import { applyDecorators } from '@nestjs/common';
import { Type } from 'class-transformer';
import { IsObject, ValidateNested } from 'class-validator';

/**
 * An object of the class that `type` answers; with `each`, every member of the array is one. `ValidateNested` alone
 * takes an array, of any depth, for an object.
 */
export const IsNested = (
  type: () => new () => object,
  { each = false }: { each?: boolean } = {},
): PropertyDecorator =>
  applyDecorators(IsObject({ each, message: 'must be an object' }), ValidateNested({ each }), Type(type));
