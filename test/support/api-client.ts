import type { Server } from 'node:http';
import request, { type Response } from 'supertest';

/** `T` is what the body is taken for. */
export type Answer<T> = Omit<Response, 'body'> & { body: T };

type Unchecked = Response['body'];

export interface CallOptions {
  /** Null: without. */
  key?: string | null;
  headers?: Record<string, string>;
}

/** Calls the API with a key; each call names the status it expects, and prints the answer when it is another. */
export class ApiClient {
  constructor(
    private readonly target: Server | string,
    readonly key: string,
  ) {}

  get<T = Unchecked>(path: string, expected: number, options?: CallOptions): Promise<Answer<T>> {
    return this.call('get', path, undefined, expected, options);
  }

  post<T = Unchecked>(
    path: string,
    body: object | undefined,
    expected: number,
    options?: CallOptions,
  ): Promise<Answer<T>> {
    return this.call('post', path, body, expected, options);
  }

  put<T = Unchecked>(
    path: string,
    body: object,
    expected: number,
    options?: CallOptions,
  ): Promise<Answer<T>> {
    return this.call('put', path, body, expected, options);
  }

  patch<T = Unchecked>(
    path: string,
    body: object,
    expected: number,
    options?: CallOptions,
  ): Promise<Answer<T>> {
    return this.call('patch', path, body, expected, options);
  }

  delete<T = Unchecked>(path: string, expected: number, options?: CallOptions): Promise<Answer<T>> {
    return this.call('delete', path, undefined, expected, options);
  }

  /** The same API with another key. */
  with(key: string): ApiClient {
    return new ApiClient(this.target, key);
  }

  private async call(
    method: 'get' | 'post' | 'put' | 'patch' | 'delete',
    path: string,
    body: object | undefined,
    expected: number,
    { key = this.key, headers = {} }: CallOptions = {},
  ): Promise<Response> {
    const call = request(this.target)[method](path).set(headers);
    if (key !== null) void call.set('authorization', `Bearer ${key}`);
    const response = await (body === undefined ? call : call.send(body));
    if (response.status !== expected) {
      throw new Error(`${method} ${path}: ${response.status} instead of ${expected}\n${response.text}`);
    }
    return response;
  }
}
