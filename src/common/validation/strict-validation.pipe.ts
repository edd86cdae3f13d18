import { ValidationPipe, type ArgumentMetadata } from '@nestjs/common';
import {
  getMetadataStorage,
  validateSync,
  type ValidationError,
  type ValidatorOptions,
} from 'class-validator';
import { AppError } from '../errors/app-error.js';
import { UNKNOWN_FIELD_MESSAGE, validationAppError } from '../errors/validation-errors.js';

/** Refuses everything that no DTO names. */
export class StrictValidationPipe extends ValidationPipe {
  constructor() {
    rememberRules();
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

  /** At once: no rule of ours waits for anything, and the library makes promises for each that might. */
  protected override validate(object: object, options?: ValidatorOptions): ValidationError[] {
    return validateSync(object, options);
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

type RulesOf = ReturnType<typeof getMetadataStorage>['getTargetValidationMetadatas'];

/**
 * For each object that it checks, class-validator goes through the rules of all classes there are to find those of its
 * class and of the ones above (measured: a twentieth of the CPU of a token). They are all made when classes are loaded, and
 * none of ours is in a group, so that a class's are looked for once.
 */
function rememberRules(): void {
  const storage = getMetadataStorage();
  if (Object.hasOwn(storage, 'getTargetValidationMetadatas')) return;
  const find: RulesOf = storage.getTargetValidationMetadatas.bind(storage);
  const known = new Map<unknown, ReturnType<RulesOf>>();
  storage.getTargetValidationMetadatas = (target, schema, always, strictGroups, groups) => {
    const rules = known.get(target) ?? find(target, schema, always, strictGroups, groups);
    known.set(target, rules);
    return rules;
  };
}
