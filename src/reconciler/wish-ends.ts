import type { AppError } from '../common/errors/app-error.js';
import { renderProblem } from '../common/errors/problem.js';
import type { OpenWish, SettledWish } from './wish-store.js';

/** The end of a wish whose answer is this body; without one for 204. */
export function endWith(status: number, body: object | null, location: string | null = null): SettledWish {
  return { status, answer: body === null ? '' : JSON.stringify(body), location };
}

/** The problem document that ends a wish: it names the request that wrote it, whoever is given it later. */
export function endWithProblem({ instance, requestId }: OpenWish, error: AppError): SettledWish {
  return endWith(error.status, renderProblem(error, { instance, requestId }));
}
