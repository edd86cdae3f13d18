import { describe, expect, it } from 'vitest';
import type { ChatServiceResponse } from '../../src/chat-services/chat-service.dto.js';
import type { ConversationResponse } from '../../src/conversations/conversation.dto.js';
import { callerWith, makeKey, otherService } from '../support/access.js';
import { unique, useApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { expectInvalid, expectProblem } from '../support/problems.js';

const running = useApp();

const path = '/v1/services';

interface TwilioService {
  sid: string;
  friendly_name: string;
}

interface TwilioRole {
  friendly_name: string;
  type: string;
  permissions: string[];
}

const make = async (friendlyName = unique('service')) =>
  (await running.api.post<ChatServiceResponse>(path, { friendlyName }, 201)).body;

async function rolesOf(serviceSid: string): Promise<TwilioRole[]> {
  const rolesPath = `/v1/Services/${serviceSid}/Roles?PageSize=100`;
  return (await running.sandbox.twilio<{ roles: TwilioRole[] }>(rolesPath)).roles;
}

/** A chat service that Twilio has and we do not know. */
async function strange(friendlyName: string): Promise<string> {
  const { baseUrl, config } = running.sandbox;
  const response = await fetch(`${baseUrl}/v1/Services`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`${config.accountSid}:${config.authToken}`).toString('base64')}`,
    },
    body: new URLSearchParams({ FriendlyName: friendlyName }),
  });
  return ((await response.json()) as TwilioService).sid;
}

describe('POST /v1/services', () => {
  it('201: makes a chat service at Twilio, with a role for each preset', async () => {
    const friendlyName = unique('Support');
    const response = await running.api.post<ChatServiceResponse>(path, { friendlyName }, 201);
    expect(response.body).toEqual({
      id: expect.any(String) as string,
      twilioSid: expect.stringMatching(/^IS[0-9a-f]{32}$/) as string,
      friendlyName,
      shareDisplayNames: false,
      defaultTimers: null,
      tokenExchange: null,
      createdAt: expect.any(String) as string,
      updatedAt: expect.any(String) as string,
    });
    const { id, twilioSid } = response.body;
    expect(response.headers['location']).toBe(`${path}/${id}`);
    const upstream = await running.sandbox.twilio<TwilioService>(`/v1/Services/${twilioSid}`);
    expect(upstream.friendly_name).toBe(`${friendlyName} cvk_${id}`);
    const presets = (await rolesOf(twilioSid ?? '')).filter(({ friendly_name }) =>
      / cvk_/.test(friendly_name),
    );
    expect(presets.map(({ friendly_name }) => friendly_name.split(' ')[0]).sort()).toEqual([
      'agent',
      'bot',
      'customer',
      'supervisor',
    ]);
    for (const { type, permissions } of presets) {
      expect(type).toBe('conversation');
      expect(permissions).toContain('sendMessage');
      expect(permissions).not.toContain('deleteConversation');
    }
  });

  it('201: the new service provisions conversations at once', async () => {
    const { admin } = await otherService(running.api);
    const participants = [{ kind: 'agent', externalId: 'ada' }];
    const { body } = await admin.post<ConversationResponse>('/v1/conversations', { participants }, 201);
    expect(body.state).toBe('active');
  });

  it('201: adopts one that Twilio has, under its name, and gives it the preset roles', async () => {
    const twilioSid = await strange('Old service');
    const { body } = await running.api.post<ChatServiceResponse>(path, { twilioSid }, 201);
    expect(body).toMatchObject({ twilioSid, friendlyName: 'Old service' });
    const names = (await rolesOf(twilioSid)).map(({ friendly_name }) => friendly_name);
    expect(names.filter((name) => / cvk_/.test(name))).toHaveLength(4);
  });

  it('201: a name of 200 code points, which Twilio gets with our ending', async () => {
    const friendlyName = '名'.repeat(200);
    expect((await make(friendlyName)).friendlyName).toBe(friendlyName);
  });

  it('409: one that is known already is not adopted again', async () => {
    const twilioSid = await strange('Twice');
    await running.api.post(path, { twilioSid }, 201);
    expectProblem(await running.api.post(path, { twilioSid }, 409), 'service_exists');
    const { chatServiceSid } = running.sandbox.config;
    const response = await running.api.post(path, { twilioSid: chatServiceSid }, 409);
    expectProblem(response, 'service_exists');
  });

  it('400: one that the account does not have cannot be adopted', async () => {
    const body = { twilioSid: `IS${'0'.repeat(32)}` };
    expectInvalid(await running.api.post(path, body, 400), 'twilioSid');
  });

  it.each([
    ['friendlyName', {}],
    ['friendlyName', { friendlyName: 'x', twilioSid: `IS${'0'.repeat(32)}` }],
    ['friendlyName', { friendlyName: '' }],
    ['friendlyName', { friendlyName: 'x'.repeat(201) }],
    ['friendlyName', { friendlyName: null }],
    ['twilioSid', { twilioSid: 'IS123' }],
    ['twilioSid', { twilioSid: `CH${'0'.repeat(32)}` }],
  ])('400: %s may not be as in %j', async (field, body) => {
    expectInvalid(await running.api.post(path, body, 400), field);
  });

  it('202, then finished: who does not wait gets the service as it is', async () => {
    const response = await running.api.post<ChatServiceResponse>(
      path,
      { friendlyName: unique('slow') },
      202,
      {
        headers: { prefer: 'respond-async' },
      },
    );
    const location = response.headers['location'] as string;
    expect(location).toBe(`${path}/${response.body.id}`);
    await eventually(async () => {
      const { body } = await running.api.get<ChatServiceResponse>(location, 200);
      expect(await rolesOf(body.twilioSid ?? '')).not.toHaveLength(0);
    });
  });

  it('201: after a failed call the service is made once, not twice', async () => {
    const friendlyName = unique('flaky');
    await running.sandbox.fault({ method: 'POST', path: '/v1/Services$', times: 1 }, { type: 'reset-after' });
    const made = await make(friendlyName);
    const { services } = await running.sandbox.twilio<{ services: TwilioService[] }>(
      '/v1/Services?PageSize=100',
    );
    const twins = services.filter(({ friendly_name }) => friendly_name.startsWith(friendlyName));
    expect(twins.map(({ sid }) => sid)).toEqual([made.twilioSid]);
  });

  it('422: what Twilio refuses for good is not made, leaves nothing behind, and is answered again the same', async () => {
    const friendlyName = unique('refused');
    const fault = { type: 'status', status: 400, code: 50003 };
    await running.sandbox.fault({ method: 'POST', path: '/v1/Services$', times: 1 }, fault);
    const headers = { 'idempotency-key': unique('k') };
    const refused = await running.api.post(path, { friendlyName }, 422, { headers });
    const problem = expectProblem(refused, 'upstream_refused');
    expect(problem.twilio).toMatchObject({ code: 50003, status: 400 });
    const again = await running.api.post(path, { friendlyName }, 422, { headers });
    expect(again.text).toBe(refused.text);
    const { body } = await running.api.get<{ data: ChatServiceResponse[] }>(`${path}?limit=100`, 200);
    expect(body.data.map((service) => service.friendlyName)).not.toContain(friendlyName);
    expect((await make(friendlyName)).friendlyName).toBe(friendlyName);
  });

  it('502: bad credentials are answered at once, where Twilio must be asked first', async () => {
    await running.sandbox.fault(
      { path: '/v1/Services/', times: 1000 },
      { type: 'status', status: 401, code: 20003 },
    );
    try {
      const body = { twilioSid: `IS${'1'.repeat(32)}` };
      expectProblem(await running.api.post(path, body, 502), 'upstream_auth_failed');
    } finally {
      await running.sandbox.clearFaults();
    }
  });
});

describe('GET /v1/services', () => {
  it('200: lists all, newest first, in pages', async () => {
    const [first, second] = [await make(), await make()];
    interface Page {
      data: ChatServiceResponse[];
      nextCursor: string;
    }
    const { body: one } = await running.api.get<Page>(`${path}?limit=1`, 200);
    const { body: two } = await running.api.get<Page>(`${path}?limit=1&cursor=${one.nextCursor}`, 200);
    expect([...one.data, ...two.data]).toEqual([second, first]);
  });

  it('403: an admin is not told which others there are', async () => {
    const { admin } = await otherService(running.api);
    expectProblem(await admin.get(path, 403), 'missing_scope');
    expectProblem(await admin.post(path, { friendlyName: 'x' }, 403), 'missing_scope');
  });
});

describe('GET /v1/services/{id}', () => {
  it('200: its own admin and any operator read it', async () => {
    const { id, admin } = await otherService(running.api);
    const operator = await callerWith(running.api, 'operator');
    const { body } = await operator.get<ChatServiceResponse>(`${path}/${id}`, 200);
    expect(body.id).toBe(id);
    expect((await admin.get(`${path}/${id.toUpperCase()}`, 200)).body).toEqual(body);
  });

  it('404: another service is not there for an admin; nor is one that nobody made', async () => {
    const { admin } = await otherService(running.api);
    const { id } = await make();
    expectProblem(await admin.get(`${path}/${id}`, 404), 'not_found');
    expectProblem(await admin.patch(`${path}/${id}`, { defaultTimers: null }, 404), 'not_found');
    const none = `${path}/01890000-0000-7000-8000-000000000000`;
    expectProblem(await running.api.get(none, 404), 'not_found');
  });

  it('403: a key of the service that is no admin', async () => {
    const { id, admin } = await otherService(running.api);
    const { key } = await makeKey(admin, ['conversations:write']);
    expectProblem(await admin.get(`${path}/${id}`, 403, { key }), 'missing_scope');
  });
});
