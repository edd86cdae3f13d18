import type { Response } from 'supertest';
import { expect } from 'vitest';
import { ERROR_CATALOG, type ErrorCode } from '../../src/common/errors/error-catalog.js';
import type { Problem } from '../../src/common/errors/problem.js';

type Received = Pick<Response, 'status' | 'headers' | 'text'>;

/** Holds the answer to be a whole problem document with this code, whose status is the catalogue's. Answers it. */
export function expectProblem(response: Received, code: ErrorCode): Problem {
  expect({ status: response.status, type: response.headers['content-type'] }).toEqual({
    status: ERROR_CATALOG[code].status,
    type: 'application/problem+json; charset=utf-8',
  });
  const problem = JSON.parse(response.text) as Problem;
  expect(problem).toMatchObject({
    type: `urn:convoke:error:${code}`,
    title: ERROR_CATALOG[code].title,
    status: response.status,
    detail: expect.any(String) as string,
    instance: expect.any(String) as string,
    code,
    requestId: response.headers['x-request-id'],
  });
  return problem;
}

/** The same, for a request that breaks the rules of exactly these fields. */
export function expectInvalid(response: Received, ...fields: string[]): Problem {
  const problem = expectProblem(response, 'validation_failed');
  expect([...new Set(problem.errors?.map(({ field }) => field))]).toEqual(fields);
  return problem;
}
