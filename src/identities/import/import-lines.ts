import { isUtf8 } from 'node:buffer';
import { AppError } from '../../common/errors/app-error.js';
import { toAppError } from '../../common/errors/to-app-error.js';
import type { Line } from '../../common/http/line-splitter.js';
import type { Upload } from '../../common/http/upload.js';
import { StrictValidationPipe } from '../../common/validation/strict-validation.pipe.js';
import { ImportedIdentityDto, type ImportResult } from './import.dto.js';

/** Bytes of one line, its end not counted: more than an identity needs, however its attributes are escaped. */
export const IMPORT_LINE_MAX = 65_536;
/** What is wrong with one line is told up to here. */
const ERRORS_MAX = 20;

/** Files that were put together may have a byte order mark anywhere; the JSON parser passes over it. */
const BLANK = /^\ufeff?[ \t]*$/;

const pipe = new StrictValidationPipe();

/** A line that says what is wanted, or what is wrong with it. */
export type ReadLine = { line: number; wanted: ImportedIdentityDto } | ImportResult;

/** Reads one line as a body of `PUT …/by-external-id/…` would be; null when there is nothing in it. */
export async function readLine(upload: Upload, { number, bytes }: Line): Promise<ReadLine | null> {
  try {
    if (bytes === null) {
      throw new AppError('payload_too_large', { detail: `is longer than ${IMPORT_LINE_MAX} bytes` });
    }
    if (!isUtf8(bytes)) throw new AppError('malformed_json', { detail: 'is not UTF-8' });
    const text = bytes.toString('utf8');
    if (BLANK.test(text)) return null;
    const body = { type: 'body', metatype: ImportedIdentityDto } as const;
    return {
      line: number,
      wanted: (await pipe.transform(upload.parse(text), body)) as ImportedIdentityDto,
    };
  } catch (error) {
    return failed(number, toAppError(error, []));
  }
}

export function failed(line: number, { code, message, options }: AppError): ImportResult {
  const errors = options.errors?.slice(0, ERRORS_MAX) ?? [{ field: 'line', message }];
  return { line, status: 'failed', code, errors };
}
