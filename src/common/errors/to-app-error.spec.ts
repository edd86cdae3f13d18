import {
  BadRequestException,
  ForbiddenException,
  HttpException,
  NotFoundException,
  ServiceUnavailableException,
} from '@nestjs/common';
import { describe, expect, it, vi } from 'vitest';
import { AppError } from './app-error.js';
import { toAppError } from './to-app-error.js';

const failure = (code: string, statusCode?: number) =>
  Object.assign(new Error('inner words'), { code, statusCode });

describe('toAppError', () => {
  it('leaves one of ours as it is, and asks nobody', () => {
    const error = new AppError('external_ref_taken');
    const translator = vi.fn(() => null);
    expect(toAppError(error, [translator])).toBe(error);
    expect(translator).not.toHaveBeenCalled();
  });

  it('takes the word of the first translator that knows the failure', () => {
    const error = new Error('x');
    const known = new AppError('upstream_timeout');
    expect(toAppError(error, [() => null, () => known, () => new AppError('rate_limited')])).toBe(known);
  });

  it.each([
    ['FST_ERR_CTP_BODY_TOO_LARGE', 413, 'payload_too_large'],
    ['FST_ERR_CTP_INVALID_MEDIA_TYPE', 415, 'unsupported_media_type'],
    ['FST_ERR_CTP_INVALID_JSON_BODY', 400, 'malformed_json'],
    ['FST_ERR_CTP_EMPTY_JSON_BODY', 400, 'malformed_json'],
    ['FST_ERR_CTP_INVALID_CONTENT_LENGTH', 400, 'malformed_request'],
    ['FST_ERR_BAD_URL', 400, 'malformed_request'],
    ['FST_ERR_MAX_PARAM_LENGTH', 414, 'uri_too_long'],
    ['FST_ERR_OF_A_LATER_RELEASE', 409, 'malformed_request'],
    ['FST_ERR_OF_A_LATER_RELEASE', 500, 'internal_error'],
  ])('knows %s of Fastify, with %d, as %s', (code, status, expected) => {
    const error = failure(code, status);
    expect(toAppError(error, []).code).toBe(expected);
    // Nest wraps some of them.
    const wrapped = new HttpException('outer words', status, { cause: error });
    expect(toAppError(wrapped, []).code).toBe(expected);
  });

  it.each([
    [new NotFoundException(), 'not_found'],
    [new BadRequestException(), 'malformed_request'],
    [new ServiceUnavailableException(), 'unavailable'],
    [new HttpException('x', 429), 'rate_limited'],
    [new ForbiddenException(), 'malformed_request'],
    [new HttpException('x', 502), 'internal_error'],
    [new SyntaxError('Unexpected token'), 'malformed_json'],
  ])('knows %s as %s', (error, expected) => {
    expect(toAppError(error, []).code).toBe(expected);
  });

  it.each([
    [new Error('password=secret')],
    [new TypeError('x')],
    ['password=secret'],
    [null],
    [undefined],
    [42],
    [{}],
  ])('hides %s, whose words are for the log alone', (error) => {
    const appError = toAppError(error, []);
    expect(appError.code).toBe('internal_error');
    expect(appError.message).not.toContain('secret');
    expect(appError.cause).toBe(error);
  });

  it('shows nothing of what a library said', () => {
    expect(toAppError(failure('FST_ERR_BAD_URL', 400), []).message).not.toContain('inner words');
    expect(toAppError(new NotFoundException('Cannot GET /x'), []).message).not.toContain('Cannot');
  });
});
