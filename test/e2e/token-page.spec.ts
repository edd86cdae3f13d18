import { EventEmitter, once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { useApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { openSession, pass, verdictOf, type Opened } from '../support/token-sessions.js';

const running = useApp();

/** What `docs/tokens.md` tells a front end to write. */
const [, LINES = ''] = /```js\n([\s\S]*?)```/.exec(readFileSync('docs/tokens.md', 'utf8')) ?? [];

/** Stands for the client of Twilio's SDK: its two events, and what takes the next token. */
class Client extends EventEmitter {
  constructor(readonly token: string) {
    super();
    clients.push(this);
  }

  updateToken(token: string): Promise<void> {
    this.emit('updated', token);
    return Promise.resolve();
  }
}
const clients: Client[] = [];

/** A page that runs those lines. `fetch` may be another one; pauses are as short as can be. */
async function page(
  answer: Opened,
  fetchAs: typeof fetch = fetch,
): Promise<{ client: Client; over: string[] }> {
  const over: string[] = [];
  const names = ['answer', 'Client', 'CONVOKE', 'over', 'fetch', 'setTimeout'];
  // eslint-disable-next-line @typescript-eslint/no-implied-eval
  const run = new Function(...names, LINES) as (...values: unknown[]) => void;
  const soon = (work: () => void) => setImmediate(work);
  run(answer, Client, await running.baseUrl(), (code: string) => over.push(code), fetchAs, soon);
  return { client: clients.at(-1)!, over };
}

/** The token that the SDK is given after an event. */
async function tokenAfter(client: Client, event: string): Promise<string> {
  const updated = once(client, 'updated');
  client.emit(event);
  const [token] = (await updated) as [string];
  return token;
}

const HOURS = 3600;

describe('the lines of docs/tokens.md', () => {
  it('start with the first token, and have the next one when it is about to expire, again and again', async () => {
    const answer = await openSession(running);
    const { client, over } = await page(answer);
    expect(client.token).toBe(answer.token);
    for (let times = 0; times < 3; times += 1) {
      const token = await tokenAfter(client, 'tokenAboutToExpire');
      expect(await verdictOf(running, token)).toMatchObject({ valid: true });
      await pass(running, HOURS);
    }
    expect(over).toEqual([]);
  });

  it('go on after a laptop has slept for hours and wakes up without a network', async () => {
    let failures = 3;
    const { client, over } = await page(await openSession(running), (...args) =>
      failures-- > 0 ? Promise.reject(new TypeError('Failed to fetch')) : fetch(...args),
    );
    await pass(running, 10 * HOURS);
    expect(await verdictOf(running, await tokenAfter(client, 'tokenExpired'))).toMatchObject({ valid: true });
    expect({ failures, over }).toEqual({ failures: -1, over: [] });
  });

  it('go on when the answer to a refresh is lost, before it or within it', async () => {
    let lost = 0;
    const { client, over } = await page(await openSession(running), async (...args) => {
      const response = await fetch(...args);
      lost += 1;
      if (lost === 1) throw new TypeError('Failed to fetch');
      return lost === 2 ? new Response((await response.text()).slice(0, 100)) : response;
    });
    expect(await verdictOf(running, await tokenAfter(client, 'tokenExpired'))).toMatchObject({ valid: true });
    expect(await verdictOf(running, await tokenAfter(client, 'tokenExpired'))).toMatchObject({ valid: true });
    expect({ lost, over }).toEqual({ lost: 4, over: [] });
  });

  it('say so when the session is over, and do not try again and again', async () => {
    const answer = await openSession(running);
    let asked = 0;
    const { client, over } = await page(answer, (...args) => {
      asked += 1;
      return fetch(...args);
    });
    await running.api.delete(`/v1/token-sessions/${answer.session.id}`, 204);
    client.emit('tokenExpired');
    await eventually(() => expect(over).toEqual(['unauthorized']));
    expect(asked).toBe(1);
  });
});
