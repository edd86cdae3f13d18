import { expect } from 'vitest';
import type { Answer, Form, Harness } from './harness.js';

export const CH = `CH${'1'.repeat(32)}`;
export const US = `US${'1'.repeat(32)}`;
export const RL = `RL${'1'.repeat(32)}`;
export const long = (length: number): string => 'x'.repeat(length);
export const sms = (address: string, proxy: string): Form => ({
  'MessagingBinding.Address': address,
  'MessagingBinding.ProxyAddress': proxy,
});
export const projected = (address: string): Form => ({ 'MessagingBinding.ProjectedAddress': address });

let counter = 0;
export const number = (): string => `+1555${1_000_000 + ++counter}`;
export const name = (): string => `name-${++counter}`;

/** Calls of one sandbox that are to fail, and a record of the codes they failed with. */
export class Errors {
  readonly provoked = new Set<number>();
  private started: Harness | undefined;

  get sandbox(): Harness {
    if (this.started === undefined) throw new Error('The sandbox has not been started');
    return this.started;
  }

  set sandbox(started: Harness) {
    this.started = started;
  }

  post(path: string, form: Form): Promise<Answer> {
    return this.sandbox.call('POST', `/v1${path}`, form);
  }

  async made(path: string, form: Form): Promise<string> {
    const { status, body } = await this.post(path, form);
    expect({ status, message: body.message }).toEqual({ status: 201, message: undefined });
    return body.sid;
  }

  async conversation(): Promise<string> {
    return `/Conversations/${await this.made('/Conversations', {})}`;
  }

  async member(inside: string, form: Form): Promise<string> {
    return `${inside}/Participants/${await this.made(`${inside}/Participants`, form)}`;
  }

  /** Twilio's error body with this status and code; its message. */
  async expected(answer: Promise<Answer> | Answer, status: number, code: number): Promise<string> {
    const { status: given, body } = await answer;
    expect({ status: given, code: body.code, inBody: body['status'] }).toEqual({
      status,
      code,
      inBody: status,
    });
    expect(body['more_info']).toBe(`https://www.twilio.com/docs/errors/${code}`);
    this.provoked.add(code);
    return body.message;
  }
}
