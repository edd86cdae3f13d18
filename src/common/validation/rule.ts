import { ValidateBy } from 'class-validator';

/**
 * A rule over a whole object, told at one of its fields. It is asked whether or not the field is given, unless
 * `IfGiven` or `IsOptional` stands beside it.
 */
export const Rule = <T extends object>(
  name: string,
  holds: (object: T) => boolean,
  message: string,
): PropertyDecorator =>
  ValidateBy({
    name,
    validator: { validate: (_, args) => holds(args?.object as T), defaultMessage: () => message },
  });
