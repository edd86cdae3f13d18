import { ValidationPipe, type ArgumentMetadata } from '@nestjs/common';
import { AppError } from '../errors/app-error.js';
import { UNKNOWN_FIELD_MESSAGE, validationAppError } from '../errors/validation-errors.js';

/** Refuses everything that no DTO names. */
export class StrictValidationPipe extends ValidationPipe {
  constructor() {
    super({
      whitelist: true,
      forbidNonWhitelisted: true,
      forbidUnknownValues: true,
      transform: true,
      exceptionFactory: validationAppError,
    });
  }

  override async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    // What a decorator of ours hands in is nobody's input.
    if (metadata.type === 'custom') return value;
    if (metadata.type === 'body' && value !== undefined && !isObject(value)) {
      throw AppError.invalid('body', 'must be a JSON object');
    }
    const result: unknown = await super.transform(value, metadata);
    const dropped = droppedFields(value, result, '');
    if (dropped.length > 0) {
      throw AppError.validation(dropped.map((field) => ({ field, message: UNKNOWN_FIELD_MESSAGE })));
    }
    return result;
  }

  /**
   * Nothing is taken out of what was sent: a field called `constructor` is refused above like any other, and may stand
   * in attributes. What could change a prototype has been refused by Fastify's parser.
   */
  protected override stripProtoKeys(): void {}
}

const isObject = (value: unknown): boolean =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/**
 * class-transformer drops fields that bear the name of a method of every object (`constructor`, `toString`), so that
 * the library that refuses unknown fields never sees them.
 */
function droppedFields(given: unknown, kept: unknown, path: string): string[] {
  if (given === kept || !given || !kept || typeof given !== 'object' || typeof kept !== 'object') return [];
  return Object.entries(given).flatMap(([name, value]) =>
    Object.hasOwn(kept, name)
      ? droppedFields(value, (kept as Record<string, unknown>)[name], `${path}${name}.`)
      : [path + name],
  );
}
