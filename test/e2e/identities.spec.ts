import request from 'supertest';
import { describe, expect, it } from 'vitest';
import type { ConversationResponse } from '../../src/conversations/conversation.dto.js';
import type { IdentityResponse } from '../../src/identities/identity.dto.js';
import { otherService } from '../support/access.js';
import { unique, useApp } from '../support/app.js';
import { addressPair } from '../support/chats.js';
import { expectInvalid, expectProblem } from '../support/problems.js';

const running = useApp();

const path = '/v1/identities';

const person = (more: object = {}) => ({ kind: 'customer', externalId: unique('cust'), ...more });

const make = async (more: object = {}) =>
  (await running.api.post<IdentityResponse>(path, person(more), 201)).body;

/** Joins a conversation, so that Twilio makes its User. */
async function join(identity: IdentityResponse, more: object = {}): Promise<ConversationResponse> {
  const participants = [{ identityId: identity.id, ...more }];
  return (await running.api.post<ConversationResponse>('/v1/conversations', { participants }, 201)).body;
}

describe('POST /v1/identities', () => {
  it('201: answers the whole identity, and where it is', async () => {
    const body = person({ displayName: 'Bob', attributes: { segment: 'gold' } });
    const response = await running.api.post<IdentityResponse>(path, body, 201);
    expect(response.body).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}$/) as string,
      kind: 'customer',
      externalId: body.externalId,
      displayName: 'Bob',
      twilioIdentity: expect.any(String) as string,
      twilioSid: null,
      serviceRole: null,
      attributes: { segment: 'gold' },
      addresses: [],
      status: 'active',
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
      updatedAt: response.body.createdAt,
    });
    expect(response.headers['location']).toBe(`${path}/${response.body.id}`);
    expect((await running.api.get(`${path}/${response.body.id}`, 200)).body).toEqual(response.body);
  });

  it.each(['agent', 'customer', 'supervisor', 'bot'])('201: makes a %s', async (kind) => {
    expect(await make({ kind })).toMatchObject({ kind, displayName: null, attributes: {} });
  });

  it('201: Twilio gets neither the name nor the id of the caller, and hears nothing yet', async () => {
    const last = await running.sandbox.last();
    const body = person({ externalId: unique('ann@example.com'), displayName: 'Ann Smith' });
    const { body: made } = await running.api.post<IdentityResponse>(path, body, 201);
    expect(made.twilioIdentity).not.toMatch(/ann|smith|example|@/i);
    expect(made.twilioIdentity).toMatch(/^[\w.-]{1,255}$/);
    expect(await running.sandbox.requestsBesideRoles(last)).toEqual([]);
  });

  it('201: takes names and ids at their bounds, counted in code points of any script', async () => {
    const externalId = '🦊'.repeat(255);
    expect(await make({ externalId, displayName: '名'.repeat(256) })).toMatchObject({ externalId });
    const sized = { x: 'ü'.repeat((16_384 - 8) / 2) };
    expect((await make({ attributes: sized })).attributes).toEqual(sized);
  });

  it('201: a UUID is an externalId like any other', async () => {
    const externalId = '0189f000-0000-4000-8000-00000000000' + String(process.pid % 10);
    expect(await make({ externalId })).toMatchObject({ externalId });
  });

  it.each([
    ['kind', { kind: 'ghost' }],
    ['kind', { kind: null }],
    ['externalId', { externalId: '' }],
    ['externalId', { externalId: '   ' }],
    ['externalId', { externalId: '.' }],
    ['externalId', { externalId: '..' }],
    ['externalId', { externalId: 'x'.repeat(256) }],
    ['externalId', { externalId: '🦊'.repeat(256) }],
    ['externalId', { externalId: `US${'0'.repeat(32)}` }],
    ['externalId', { externalId: `CH${'aB'.repeat(16)}` }],
    ['externalId', { externalId: null }],
    ['externalId', { externalId: ['x'] }],
    ['displayName', { displayName: '' }],
    ['displayName', { displayName: 'x'.repeat(257) }],
    ['displayName', { displayName: 7 }],
    ['attributes', { attributes: [] }],
    ['attributes', { attributes: 'x' }],
    ['attributes', { attributes: { x: 'ü'.repeat((16_384 - 8) / 2) + 'x' } }],
  ])('400: %s may not be as in %j', async (field, more) => {
    expectInvalid(await running.api.post(path, person(more), 400), field);
  });

  it('409: an externalId that is known names the identity that has it', async () => {
    const known = await make({ displayName: 'Bob' });
    const again = { kind: 'agent', externalId: known.externalId };
    const problem = expectProblem(await running.api.post(path, again, 409), 'identity_exists');
    expect(problem['identity']).toEqual({ id: known.id });
    expect((await running.api.get(`${path}/${known.id}`, 200)).body).toEqual(known);
  });

  it('201 and 409: of many racers with one externalId exactly one makes it', async () => {
    const body = person();
    const racers = Array.from({ length: 8 }, () =>
      request(running.server).post(path).set('authorization', `Bearer ${running.api.key}`).send(body),
    );
    const answers = await Promise.all(racers);
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array<number>(7).fill(409)]);
  });

  it('201: another chat service may use the same externalId', async () => {
    const known = await make();
    const { admin } = await otherService(running.api);
    const { body } = await admin.post<IdentityResponse>(path, person({ externalId: known.externalId }), 201);
    expect(body.id).not.toBe(known.id);
  });
});

describe('GET /v1/identities', () => {
  it('200: pages through all, newest first, each once, though others come meanwhile', async () => {
    const { admin } = await otherService(running.api);
    const post = async () => (await admin.post<IdentityResponse>(path, person(), 201)).body.id;
    const ids: string[] = [];
    for (let index = 0; index < 5; index++) ids.push(await post());
    type Page = { data: IdentityResponse[]; nextCursor: string | null };
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const { body } = await admin.get<Page>(`${path}?limit=2${query}`, 200);
      expect(body.data.length).toBeLessThanOrEqual(2);
      seen.push(...body.data.map(({ id }) => id));
      cursor = body.nextCursor;
      await post();
    } while (cursor !== null);
    expect(seen).toEqual(ids.reverse());
  });

  it('200: shows 20 unless asked for more', async () => {
    const { admin } = await otherService(running.api);
    await Promise.all(Array.from({ length: 22 }, () => admin.post(path, person(), 201)));
    const { body: page } = await admin.get<{ data: unknown[]; nextCursor: string | null }>(path, 200);
    expect(page.data).toHaveLength(20);
    expect(page.nextCursor).not.toBeNull();
    const { body: all } = await admin.get<{ data: unknown[] }>(`${path}?limit=22`, 200);
    expect(all).toMatchObject({ nextCursor: null });
    expect(all.data).toHaveLength(22);
  });

  it('200: filters by kind, externalId and status, alone and together', async () => {
    const agent = await make({ kind: 'agent' });
    const suspended = await make({ kind: 'agent' });
    await running.sql(`update identities set status = 'suspended' where id = $1`, [suspended.id]);
    const list = async (query: string) =>
      (await running.api.get<{ data: IdentityResponse[] }>(`${path}?limit=100&${query}`, 200)).body.data;
    const ids = async (query: string) => (await list(query)).map(({ id }) => id);
    expect(await ids(`externalId=${agent.externalId}`)).toEqual([agent.id]);
    expect(await ids('status=suspended')).toEqual([suspended.id]);
    expect(await ids('kind=agent')).toEqual(expect.arrayContaining([agent.id, suspended.id]));
    expect((await list('kind=agent')).every(({ kind }) => kind === 'agent')).toBe(true);
    expect(await ids('kind=agent&status=suspended')).toEqual([suspended.id]);
    expect(await ids(`kind=customer&externalId=${agent.externalId}`)).toEqual([]);
  });

  it.each(['kind=ghost', 'status=gone', 'externalId=..', 'externalId=', 'kind=agent&kind=bot'])(
    '400: refuses ?%s',
    async (query) => {
      expectInvalid(await running.api.get(`${path}?${query}`, 400), query.split('=')[0] ?? '');
    },
  );
});

describe('GET /v1/identities/{identity}', () => {
  it('200: by our id, in upper case as well', async () => {
    const made = await make();
    for (const id of [made.id, made.id.toUpperCase()]) {
      expect((await running.api.get(`${path}/${id}`, 200)).body).toEqual(made);
    }
  });

  it('200: learns the User that Twilio made when the person joined, and is found by its sid', async () => {
    const made = await make();
    await join(made);
    const { body: read } = await running.api.get<IdentityResponse>(`${path}/${made.id}`, 200);
    expect(read.twilioSid).toMatch(/^US[0-9a-f]{32}$/);
    const user = await running.sandbox.twilio<{ identity: string }>(`/v1/Users/${read.twilioSid}`);
    expect(user.identity).toBe(made.twilioIdentity);
    expect((await running.api.get(`${path}/${read.twilioSid}`, 200)).body).toEqual(read);
  });

  it('200: is found by a User sid that nobody has asked for before', async () => {
    const made = await make();
    await join(made);
    const { sid } = await running.sandbox.twilio<{ sid: string }>(`/v1/Users/${made.twilioIdentity}`);
    const { body } = await running.api.get<IdentityResponse>(`${path}/${sid}`, 200);
    expect(body).toMatchObject({ id: made.id, twilioSid: sid });
  });

  it('200: shows the addresses that the person has taken part by', async () => {
    const made = await make();
    const [one, two] = [addressPair(), addressPair()];
    await join(made, one);
    await join(made, two);
    const { body } = await running.api.get<IdentityResponse>(`${path}/${made.id}`, 200);
    expect(body.addresses).toEqual([one.address, two.address].sort());
  });

  it('404: a UUID and a User sid that nobody has', async () => {
    const none = ['01890000-0000-7000-8000-000000000000', `US${'0'.repeat(32)}`];
    for (const id of none) expectProblem(await running.api.get(`${path}/${id}`, 404), 'not_found');
  });

  it('502: a User sid cannot be looked up while Twilio is away: that is not "not found"', async () => {
    await running.sandbox.fault({ path: '/Users/', times: 1000 }, { type: 'status', status: 503 });
    try {
      const response = await running.api.get(`${path}/US${'1'.repeat(32)}`, 502);
      expectProblem(response, 'upstream_unavailable');
    } finally {
      await running.sandbox.clearFaults();
    }
  });

  it('200: the row is shown while Twilio is away', async () => {
    const made = await make();
    await join(made);
    await running.sandbox.fault({ path: '/Users/', times: 1000 }, { type: 'status', status: 503 });
    try {
      const { body } = await running.api.get<IdentityResponse>(`${path}/${made.id}`, 200);
      expect(body).toMatchObject({ id: made.id, twilioSid: null });
    } finally {
      await running.sandbox.clearFaults();
    }
  });
});
