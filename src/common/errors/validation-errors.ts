import type { ValidationError } from 'class-validator';
import { AppError, type FieldError } from './app-error.js';

/** class-validator's own words for a field that no document knows. */
const UNKNOWN_FIELD = 'whitelistValidation';
export const UNKNOWN_FIELD_MESSAGE = 'is not a known field';

/** The third translator: what the validation pipe found, with the whole path of each field. */
export function validationAppError(errors: ValidationError[]): AppError {
  return AppError.validation(errors.flatMap((error) => fieldErrors(error, '')));
}

function fieldErrors(error: ValidationError, parent: string): FieldError[] {
  const field = parent + error.property;
  const { constraints = {} } = error;
  const broken = Object.entries(constraints);
  // Of what is not there each rule complains, and none says that.
  const isMissing = error.value === undefined && broken.length > 0 && !(UNKNOWN_FIELD in constraints);
  const own = isMissing
    ? [{ field, message: 'is missing' }]
    : broken.map(([name, text]) => ({
        field,
        message: name === UNKNOWN_FIELD ? UNKNOWN_FIELD_MESSAGE : withoutName(text, error.property),
      }));
  return [...own, ...(error.children ?? []).flatMap((child) => fieldErrors(child, `${field}.`))];
}

/** The library's texts begin with the property's name, which `field` says already. */
function withoutName(text: string, property: string): string {
  return text.startsWith(`${property} `) ? text.slice(property.length + 1) : text;
}
