import { describe, expect, it } from 'vitest';
import { unique, useApp } from '../support/app.js';

const running = useApp();

interface Participant {
  identity: string | null;
  role_sid: string | null;
}

function supportChat(overrides: object = {}) {
  return {
    externalRef: unique('case'),
    friendlyName: 'Order 4711',
    attributes: { crm: 'hubspot' },
    participants: [
      { kind: 'agent', externalId: unique('agent'), displayName: 'Ada', role: 'agent', attributes: {} },
      { kind: 'customer', externalId: unique('cust'), displayName: 'Bob' },
      {
        kind: 'customer',
        address: '+15551230000',
        proxyAddress: unique('').length ? proxy() : '',
        externalId: unique('sms'),
      },
    ],
    systemMessage: { body: 'Ada will be with you shortly.', attributes: {} },
    timers: { inactive: 'PT1H', closed: 'P1D' },
    ...overrides,
  };
}

let numbers = 0;
const proxy = () => `+1555999${String(1000 + (numbers += 1))}`;

describe('POST /v1/conversations', () => {
  it('201: makes one private conversation with everybody in it, each with the right role, and the greeting', async () => {
    const body = supportChat();
    const { body: chat } = await running.api.post('/v1/conversations', body, 201);
    expect(chat).toMatchObject({
      externalRef: body.externalRef,
      friendlyName: 'Order 4711',
      state: 'active',
      attributes: { crm: 'hubspot' },
      timers: { inactive: 'PT1H', closed: 'P1D' },
      failure: null,
      systemMessage: { body: 'Ada will be with you shortly.' },
    });
    expect(chat.participants).toMatchObject([
      { kind: 'agent', role: 'agent', state: 'joined', identity: { displayName: 'Ada' }, address: null },
      { kind: 'customer', role: 'customer', state: 'joined', identity: { displayName: 'Bob' } },
      { kind: 'customer', role: null, state: 'joined', address: '+15551230000' },
    ]);
    const { participants } = await running.sandbox.twilio<{ participants: Participant[] }>(
      `/v1/Conversations/${chat.twilioSid}/Participants`,
    );
    expect(participants).toHaveLength(3);
    const roles = participants.flatMap(({ role_sid }) => role_sid ?? []);
    expect(new Set(roles).size).toBe(2);
    const { messages } = await running.sandbox.twilio<{ messages: { author: string; body: string }[] }>(
      `/v1/Conversations/${chat.twilioSid}/Messages`,
    );
    expect(messages).toMatchObject([{ author: 'system', body: 'Ada will be with you shortly.' }]);
  });
});
