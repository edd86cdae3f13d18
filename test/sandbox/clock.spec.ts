import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Harness, Receiver } from './support/harness.js';
import { eventually, harness, receiver, refusal } from './support/harness.js';

describe('the clock', () => {
  let sandbox: Harness;
  let hooks: Receiver;

  beforeAll(async () => {
    sandbox = await harness();
  });

  afterAll(() => sandbox.stop());

  beforeEach(async () => {
    await sandbox.control('POST', '/reset');
    hooks = await receiver();
  });

  afterEach(() => hooks.stop());

  const listen = (filters: string[]): Promise<unknown> =>
    sandbox.v1.configuration.webhooks().update({ filters, postWebhookUrl: hooks.url, method: 'POST' });

  const advance = (duration: string) => sandbox.control('POST', '/clock', { advance: duration });
  const HOUR = 3_600_000;

  it('a conversation with timers goes inactive, then closed, as it advances, and its webhooks say TIMER', async () => {
    await listen(['onConversationStateUpdated', 'onConversationUpdated']);
    const made = await sandbox.v1.conversations.create({
      state: 'active',
      'timers.inactive': 'PT1H',
      'timers.closed': 'P1D',
    });
    const timers = made.timers as { date_inactive: string; date_closed: string };
    expect(Date.parse(timers.date_inactive)).toBe(made.dateCreated.getTime() + HOUR);
    expect(Date.parse(timers.date_closed)).toBe(made.dateCreated.getTime() + 25 * HOUR);

    await advance('PT59M');
    expect((await sandbox.v1.conversations(made.sid).fetch()).state).toBe('active');
    await advance('PT2M');
    const inactive = await sandbox.v1.conversations(made.sid).fetch();
    expect(inactive).toMatchObject({ state: 'inactive', timers: { date_closed: timers.date_closed } });
    expect(inactive.dateUpdated.toISOString()).toBe(timers.date_inactive.replace('Z', '.000Z'));
    await advance('P1D');
    expect(await sandbox.v1.conversations(made.sid).fetch()).toMatchObject({ state: 'closed', timers: {} });

    await eventually(() => expect(hooks.received).toHaveLength(2));
    const said = hooks.received
      .map(({ form }) => form)
      .sort((a, b) => ((a['StateTo'] ?? '') < (b['StateTo'] ?? '') ? 1 : -1));
    const common = { EventType: 'onConversationStateUpdated', Reason: 'TIMER', ConversationSid: made.sid };
    expect(said).toMatchObject([
      { ...common, StateFrom: 'active', StateTo: 'inactive', StateUpdated: timers.date_inactive },
      { ...common, StateFrom: 'inactive', StateTo: 'closed', StateUpdated: timers.date_closed },
    ]);
  });

  it('a long leap fires every timer on the way before it answers', async () => {
    const made = await sandbox.v1.conversations.create({
      state: 'active',
      'timers.inactive': 'PT1H',
      'timers.closed': 'P1D',
    });
    await advance('P30D');
    expect((await sandbox.v1.conversations(made.sid).fetch()).state).toBe('closed');
  });

  it('a message starts the count anew and wakes an inactive conversation, with the reason EVENT', async () => {
    await listen(['onConversationStateUpdated']);
    const made = await sandbox.v1.conversations.create({ state: 'active', 'timers.inactive': 'PT1H' });
    const inside = sandbox.v1.conversations(made.sid);
    await advance('PT50M');
    await inside.messages.create({ body: 'still here' });
    await advance('PT50M');
    expect((await inside.fetch()).state).toBe('active');
    await advance('PT11M');
    expect((await inside.fetch()).state).toBe('inactive');
    await inside.messages.create({ body: 'back', xTwilioWebhookEnabled: 'true' });
    expect((await inside.fetch()).state).toBe('active');
    await eventually(() => expect(hooks.received).toHaveLength(2));
    expect(hooks.received[1]?.form).toMatchObject({
      StateFrom: 'inactive',
      StateTo: 'active',
      Reason: 'EVENT',
    });
  });

  it('a closed timer alone runs from the last activity, and PT0S takes a timer away', async () => {
    const made = await sandbox.v1.conversations.create({ state: 'active', 'timers.closed': 'PT10M' });
    const kept = await sandbox.v1.conversations.create({ state: 'active', 'timers.closed': 'PT10M' });
    await sandbox.v1.conversations(kept.sid).update({ 'timers.closed': 'PT0S' });
    await advance('PT11M');
    expect((await sandbox.v1.conversations(made.sid).fetch()).state).toBe('closed');
    expect(await sandbox.v1.conversations(kept.sid).fetch()).toMatchObject({ state: 'active', timers: {} });
  });

  it("the account's default timers hold for new conversations", async () => {
    await sandbox.v1.configuration().update({ defaultInactiveTimer: 'PT1M', defaultClosedTimer: 'PT10M' });
    const made = await sandbox.v1.conversations.create();
    expect(Object.keys(made.timers as object).sort()).toEqual(['date_closed', 'date_inactive']);
    await advance('PT12M');
    expect((await sandbox.v1.conversations(made.sid).fetch()).state).toBe('closed');
  });

  it('it can be set, and given back to the machine', async () => {
    const set = await sandbox.control('POST', '/clock', { set: '2030-01-02T03:04:05Z' });
    expect(set.body['now']).toMatch(/^2030-01-02T03:04:0/);
    expect((await sandbox.v1.conversations.create()).dateCreated.getUTCFullYear()).toBe(2030);
    const real = await sandbox.control('POST', '/clock', { real: true });
    expect(Math.abs(Date.parse(String(real.body['now'])) - Date.now())).toBeLessThan(5000);
  });

  it('what it cannot be set to is refused', async () => {
    expect((await sandbox.control('POST', '/clock', { advance: 'soon' })).status).toBe(400);
    expect((await sandbox.control('POST', '/clock', { set: 'tomorrow' })).status).toBe(400);
    expect((await sandbox.control('POST', '/clock', {})).status).toBe(400);
  });

  it('closed is final: nothing in the conversation changes any more, but it can be read and deleted', async () => {
    const made = await sandbox.v1.conversations.create();
    const inside = sandbox.v1.conversations(made.sid);
    const member = await inside.participants.create({ identity: 'anna' });
    const said = await inside.messages.create({ body: 'x' });
    await inside.update({ state: 'closed' });
    const refused = [
      inside.update({ state: 'active' }),
      inside.participants.create({ identity: 'ben' }),
      inside.participants(member.sid).update({ attributes: '{}' }),
      inside.participants(member.sid).remove(),
      inside.messages.create({ body: 'y' }),
      inside.messages(said.sid).update({ body: 'y' }),
      inside.messages(said.sid).remove(),
    ];
    for (const call of refused) expect(await refusal(call)).toMatchObject({ status: 400, code: 50377 });
    expect((await inside.messages.list()).map(({ body }) => body)).toEqual(['x']);
    expect(await inside.remove()).toBe(true);
    expect(await refusal(inside.messages.list())).toMatchObject({ status: 404, code: 20404 });
  });
});
