import { expect, it } from 'vitest';
import { unique, useApp } from '../support/app.js';
import { addressPair, provision } from '../support/chats.js';

const running = useApp();

it('201: an agent of a group text has a projected address, as Twilio has it', async () => {
  const chat = await provision(running.api);
  const projectedAddress = addressPair().proxyAddress;
  const wanted = { kind: 'agent', externalId: unique('agent'), projectedAddress };
  const { body: agent } = await running.api.post(`${chat.path}/participants`, wanted, 201);
  expect(agent).toMatchObject({ projectedAddress, address: null, proxyAddress: null, role: 'agent' });
  const path = `/v1/Conversations/${chat.twilioSid}/Participants/${agent.twilioSid}`;
  expect(await running.sandbox.twilio(path)).toMatchObject({
    identity: agent.identity.twilioIdentity,
    messaging_binding: { projected_address: projectedAddress },
  });
  const { body: read } = await running.api.get(`${chat.path}/participants/${agent.id}`, 200);
  expect(read).toEqual(agent);
});
