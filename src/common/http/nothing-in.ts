import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../errors/app-error.js';
import { UNKNOWN_FIELD_MESSAGE } from '../errors/validation-errors.js';

/** Refuses the fields of a body, or of a query, where none is wanted: as any other field that is not known. */
export const NothingIn = createParamDecorator(
  (part: 'body' | 'query', context: ExecutionContext): undefined => {
    const given = context.switchToHttp().getRequest<FastifyRequest>()[part];
    if (given === undefined || given === null) return;
    if (typeof given !== 'object' || Array.isArray(given))
      throw AppError.invalid(part, 'must be a JSON object');
    const fields = Object.keys(given);
    if (fields.length > 0)
      throw AppError.validation(fields.map((field) => ({ field, message: UNKNOWN_FIELD_MESSAGE })));
  },
);
