import { afterEach, describe, expect, it } from 'vitest';
import { unique, useApp } from '../support/app.js';
import { provision, supportChat, type Chat, type Person } from '../support/chats.js';
import { eventually } from '../support/eventually.js';

const running = useApp();

afterEach(() => running.sandbox.clearFaults());

const agent = () => ({ kind: 'agent', externalId: unique('agent'), displayName: 'Grace' });

describe('Whoever is to leave is shown as leaving until he is out', () => {
  const async = { headers: { prefer: 'respond-async' } };
  const slow = (method: string, path: string) =>
    running.sandbox.fault({ method, path, times: 1 }, { type: 'delay', ms: 300, applied: 'before' });

  /** All states that he is seen in from now on, until he is gone. */
  async function statesUntilGone(path: string): Promise<string[]> {
    const seen = new Set<string>();
    await eventually(async () => {
      const { body } = await running.api.get(path.slice(0, path.indexOf('/participants')), 200);
      const him = body.participants.find(({ id }: Person) => path.endsWith(id));
      if (him) seen.add(him.state as string);
      expect(him).toBeUndefined();
    });
    return [...seen];
  }

  it('also when he is still being added', async () => {
    const chat = await provision(running.api);
    await slow('POST', '/Participants$');
    await slow('DELETE', '/Participants/MB');
    const { headers } = await running.api.post(`${chat.path}/participants`, agent(), 202, async);
    await running.api.delete(headers['location']!, 202, async);
    expect(await statesUntilGone(headers['location']!)).toEqual(['removing']);
  });

  it('also when he is just being changed', async () => {
    const chat = await provision(running.api);
    const path = `${chat.path}/participants/${chat.bob.id}`;
    await slow('POST', '/Participants/MB');
    await slow('DELETE', '/Participants/MB');
    await running.api.patch(path, { attributes: { a: 1 } }, 202, async);
    await running.api.delete(path, 202, async);
    expect(await statesUntilGone(path)).toEqual(['removing']);
  });

  it('also while the conversation is being provisioned', async () => {
    await slow('POST', '/Conversations$');
    await slow('POST', '/Participants$');
    await slow('DELETE', '/Participants/MB');
    const { body: chat } = await running.api.post<Chat>('/v1/conversations', supportChat(), 202, async);
    const path = `/v1/conversations/${chat.id}/participants/${chat.participants[1]!.id}`;
    await running.api.delete(path, 202, async);
    expect(await statesUntilGone(path)).toEqual(['removing']);
  });

  it('but as joined again when his removal was refused', async () => {
    const chat = await provision(running.api);
    const path = `${chat.path}/participants/${chat.bob.id}`;
    await slow('POST', '/Participants/MB');
    await running.sandbox.fault(
      { method: 'DELETE', path: '/Participants/MB' },
      { type: 'status', status: 400, code: 50407 },
    );
    await running.api.patch(path, { attributes: { a: 1 } }, 202, async);
    await running.api.delete(path, 422);
    expect((await running.api.get(path, 200)).body.state).toBe('joined');
  });

  it('nor when the transfer that would take him out was', async () => {
    const chat = await provision(running.api);
    const path = `${chat.path}/participants/${chat.ada.id}`;
    await slow('POST', '/Participants/MB');
    await running.api.patch(path, { attributes: { a: 1 } }, 202, async);
    const to = { kind: 'agent', address: '+15005550001', proxyAddress: '+15559990000' };
    await running.api.post(`${chat.path}/transfer`, { from: chat.ada.id, to }, 422);
    expect((await running.api.get(path, 200)).body.state).toBe('joined');
  });
});
