import { afterEach, describe, expect, it } from 'vitest';
import { callerWith, otherService } from '../support/access.js';
import { unique, useApp } from '../support/app.js';
import { addressPair, provision, supportChat, type Chat, type Person } from '../support/chats.js';
import { expectInvalid, expectProblem } from '../support/problems.js';
import { NOBODYS_ID } from '../support/routes.js';

const running = useApp();
const { sandbox } = running;

afterEach(() => sandbox.clearFaults());

const pathOf = (chat: Chat, format?: string) =>
  `${chat.path}/transcript${format === undefined ? '' : `?format=${format}`}`;

const textOf = async (chat: Chat, format: string) =>
  (await running.api.get<never>(pathOf(chat, format), 200)).text;

const say = async (chat: Chat, { id }: Person, body: string, more: object = {}) =>
  (await running.api.post(`${chat.path}/messages`, { author: id, body, ...more }, 201)).body;

/** By somebody who does not go through us. */
const sayAtTwilio = (chat: Chat, author: string, body: string) =>
  sandbox.write('POST', `/v1/Conversations/${chat.twilioSid}/Messages`, [
    ['Author', author],
    ['Body', body],
  ]);

const erase = ({ identity }: Person) => running.api.post(`/v1/identities/${identity?.id}/erase`, {}, 200);

describe('GET /v1/conversations/{conversation}/transcript', () => {
  it('200: one JSON document with everybody, and every message by whoever said it', async () => {
    const chat = await provision(running.api);
    const first = await say(chat, chat.ada, 'Hello Bob', { attributes: { a: 1 } });
    const { body: sms } = await running.api.post(`${chat.path}/participants`, addressPair(), 201);
    await say(chat, sms, 'by SMS', { mediaSid: `ME${'a'.repeat(32)}` });
    for (const path of [
      pathOf(chat),
      pathOf(chat, 'json'),
      `/v1/conversations/${chat.twilioSid}/transcript`,
    ]) {
      const { body, headers } = await running.api.get(path, 200);
      expect(headers).toMatchObject({
        'content-type': 'application/json; charset=utf-8',
        'content-disposition': `attachment; filename="transcript-${chat.id}.json"`,
        'cache-control': 'no-store',
      });
      const { id, twilioSid, externalRef } = chat;
      expect(body.conversation).toMatchObject({ id, twilioSid, externalRef, state: 'active' });
      expect(body.participants).toMatchObject([
        { id: chat.ada.id, kind: 'agent', role: 'agent', identity: chat.ada.identity, leftAt: null },
        { id: chat.bob.id, kind: 'customer', identity: chat.bob.identity, erased: false },
        { id: sms.id, kind: 'customer', role: null, identity: null, address: sms.address },
      ]);
      expect(body.messages).toMatchObject([
        { author: { type: 'system', kind: null, erased: false }, body: 'Ada will be with you shortly.' },
        { ...first, author: { type: 'identity', identity: chat.ada.identity, kind: 'agent' } },
        { author: { type: 'address', address: sms.address, kind: 'customer' }, media: [{ filename: null }] },
      ]);
    }
  });

  it('200: tells who joined when, as Twilio has it, and who left', async () => {
    const chat = await provision(running.api);
    await running.sql(`update conversations set updated_at = now() - interval '3 hours' where id = $1`, [
      chat.id,
    ]);
    const before = Date.now();
    await running.api.delete(`${chat.path}/participants/${chat.bob.id}`, 204);
    const { body } = await running.api.get(pathOf(chat), 200);
    const [ada, bob] = body.participants;
    const { date_created } = await sandbox.twilio<{ date_created: string }>(
      `/v1/Conversations/${chat.twilioSid}/Participants/${chat.ada.twilioSid}`,
    );
    expect(Date.parse(ada.joinedAt)).toBe(Date.parse(date_created));
    expect(ada.leftAt).toBeNull();
    expect(Date.parse(bob.leftAt)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(bob.leftAt)).toBeLessThanOrEqual(Date.now());
    const text = await textOf(chat, 'text');
    expect(text).toMatch(/^\[.* UTC\] \* Bob \(customer\) left$/m);
    expect(text).toMatch(/^\[.* UTC\] \* Ada \(agent\) joined$/m);
    expect(await textOf(chat, 'html')).toMatch(/<bdi lang="">Bob<\/bdi> \(customer\) left<\/p>/);
  });

  it('200: names those whom we did not let in, where the chat service knows them', async () => {
    const [chat, other] = [await provision(running.api), await provision(running.api)];
    await sayAtTwilio(chat, other.ada.identity!.twilioIdentity, 'I let myself in');
    await sayAtTwilio(chat, 'nobody of ours', 'who am I?');
    await sayAtTwilio(chat, '+15557654321', 'and I?');
    const { body } = await running.api.get(pathOf(chat), 200);
    expect(body.messages.slice(1)).toMatchObject([
      { id: null, author: { type: 'identity', identity: other.ada.identity, kind: 'agent' } },
      { id: null, author: { type: 'identity', kind: null, erased: false } },
      { id: null, author: { type: 'address', address: '+15557654321', kind: null } },
    ]);
    expect(JSON.stringify(body)).not.toContain('nobody of ours');
    expect(await textOf(chat, 'text')).toMatch(/^\[.*\] unknown: who am I\?$/m);
  });

  it('200: whoever was erased is just that, in every format; nothing of his is shown', async () => {
    const chat = await provision(running.api);
    const pair = addressPair();
    const who = { ...pair, kind: 'customer', externalId: unique('sms'), displayName: 'Carla' };
    const { body: carla } = await running.api.post(`${chat.path}/participants`, who, 201);
    await say(chat, chat.bob, 'hi');
    await say(chat, carla, 'hi too');
    await erase(chat.bob);
    await erase(carla);
    const { body } = await running.api.get(pathOf(chat), 200);
    expect(body.participants[1]).toMatchObject({
      erased: true,
      identity: { externalId: null, displayName: null },
    });
    expect(body.messages[1].author).toMatchObject({ type: 'identity', erased: true, kind: null });
    expect(body.messages[2].author).not.toHaveProperty('address');
    for (const format of ['json', 'text', 'html']) {
      const text = await textOf(chat, format);
      const said = [who.externalId, 'Carla', pair.address, 'Bob', chat.bob.identity!.externalId];
      for (const name of said) expect(text, format).not.toContain(name);
    }
    expect(await textOf(chat, 'text')).toMatch(/^\[.*\] erased: \[erased\]$/m);
    expect(await textOf(chat, 'text')).toMatch(/^- erased \(customer\)$/m);
  });

  it('200: leaves out whoever never came in', async () => {
    const chat = await provision(running.api);
    const never = { kind: 'customer', address: '+15005550001', proxyAddress: '+15559990000' };
    await running.api.post(`${chat.path}/participants`, never, 422);
    const { body } = await running.api.get(pathOf(chat), 200);
    expect(body.participants).toHaveLength(2);
  });

  it('200: is there for a closed conversation, and empty where Twilio has none', async () => {
    const chat = await provision(running.api);
    await running.api.post(`${chat.path}/close`, { systemMessage: { body: 'Good bye.' } }, 200);
    const { body } = await running.api.get(pathOf(chat), 200);
    expect(body.conversation.state).toBe('closed');
    expect(body.messages.map((one: { body: string }) => one.body)).toEqual([
      'Ada will be with you shortly.',
      'Good bye.',
    ]);
    await sandbox.fault(
      { method: 'POST', path: '/Conversations$' },
      { type: 'delay', ms: 500, applied: 'before' },
    );
    const headers = { prefer: 'respond-async' };
    const { body: waiting } = await running.api.post('/v1/conversations', supportChat(), 202, { headers });
    const { body: empty } = await running.api.get(`/v1/conversations/${waiting.id}/transcript`, 200);
    expect(empty).toMatchObject({ conversation: { state: 'provisioning' }, participants: [], messages: [] });
  });

  it.each(['format=pdf', 'format=', 'format=json&format=text', 'colour=red'])('400: %s', async (query) => {
    const chat = await provision(running.api);
    const response = await running.api.get(`${chat.path}/transcript?${query}`, 400);
    expectInvalid(response, query.split('=')[0]!);
  });

  it('403 without messages:read; 404 for another chat service, for nobody, and once deleted', async () => {
    const chat = await provision(running.api);
    const writer = await callerWith(running.api, 'messages:write', 'conversations:read');
    expectProblem(await writer.get(pathOf(chat), 403), 'missing_scope');
    await (await callerWith(running.api, 'messages:read')).get(pathOf(chat), 200);
    const { admin } = await otherService(running.api);
    for (const path of [pathOf(chat), `/v1/conversations/${chat.twilioSid}/transcript`])
      expectProblem(await admin.get(path, 404), 'not_found');
    await running.api.get(`/v1/conversations/${NOBODYS_ID}/transcript`, 404);
    await running.api.get(`/v1/conversations/${'x'.repeat(256)}/transcript`, 414);
    await running.api.delete(chat.path, 204);
    expectProblem(await running.api.get(pathOf(chat), 404), 'not_found');
  });

  it.each([
    [{ type: 'status', status: 401, code: 20003 }, 502, 'upstream_auth_failed'],
    [{ type: 'status', status: 500 }, 502, 'upstream_unavailable'],
    [{ type: 'status', status: 429, retryAfterSeconds: 7 }, 503, 'upstream_rate_limited'],
  ] as const)('%o at Twilio before the first byte: %i %s', async (fault, status, code) => {
    const chat = await provision(running.api);
    for (const path of ['/Messages', '/Participants']) {
      await sandbox.clearFaults();
      await sandbox.fault({ method: 'GET', path, times: 100 }, fault);
      for (const format of ['json', 'text', 'html']) {
        const response = await running.api.get(pathOf(chat, format), status);
        expectProblem(response, code);
        expect(response.headers['retry-after']).toBe(status === 503 ? '7' : undefined);
        expect(response.headers['content-disposition']).toBeUndefined();
      }
    }
  });
});

describe('As text', () => {
  it('a message is a line, and no body passes for a line of somebody else', async () => {
    const chat = await provision(running.api);
    const forged = '[2026-01-01 00:00:00 UTC] Ada (agent): I owe you money';
    const breaks = ['\n', '\r', '\r\n', '\v', '\f', '\u0085', '\u2028', '\u2029'];
    await sayAtTwilio(
      chat,
      chat.bob.identity!.twilioIdentity,
      breaks.map((one) => `a${one}${forged}`).join(''),
    );
    await say(chat, chat.bob, 'x\n  @ contract.pdf (application/pdf)');
    await say(chat, chat.bob, 'see', { mediaSid: `ME${'a'.repeat(32)}` });
    const response = await running.api.get<never>(pathOf(chat, 'text'), 200);
    expect(response.headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'content-disposition': `attachment; filename="transcript-${chat.id}.txt"`,
    });
    const lines = response.text.split('\n');
    const said = lines.filter((line) => line.startsWith('[') && !line.includes('*'));
    expect(said).toHaveLength(4);
    expect(said.filter((line) => line.includes('Ada (agent)'))).toEqual([]);
    expect(lines.filter((line) => line.startsWith(`    ${forged}`))).toHaveLength(breaks.length);
    expect(lines.filter((line) => line.startsWith('  @'))).toEqual([
      `  @ ME${'a'.repeat(32)} (application/octet-stream, 0 bytes)`,
    ]);
    expect(response.text).toMatch(/\nEnd of transcript, messages: 4\n$/);
  });

  it('nothing in it moves a terminal’s cursor or turns the direction of what follows', async () => {
    const chat = await provision(running.api);
    await sayAtTwilio(chat, chat.bob.identity!.twilioIdentity, 'a\u001b[2Jb\u0000c\u202ed\u2066e\tf 🦉 é');
    const text = await textOf(chat, 'text');
    expect(text).toContain('a\ufffd[2Jb\ufffdc\ufffdd\ufffde\tf 🦉 é\n');
    expect(text).not.toMatch(/[^\P{Cc}\t\n]|[\u202a-\u202e\u2066-\u2069]/u);
  });
});

describe('As HTML', () => {
  it('it is a whole document in which nothing runs, whatever was said and whoever said it', async () => {
    const evil = `<script>alert(1)</script><img src=x onerror=alert(2)>"'&\u0000`;
    const participants = [
      { kind: 'agent', externalId: unique('<b>agent'), displayName: `</title><script>x('"&` },
      { kind: 'customer', externalId: unique('cust'), displayName: 'Bob' },
    ];
    const chat = await provision(running.api, {
      participants,
      externalRef: unique('</p>"'),
      friendlyName: '</title><script>',
    });
    await sayAtTwilio(chat, chat.ada.identity!.twilioIdentity, evil);
    const response = await running.api.get<never>(pathOf(chat, 'html'), 200);
    const { text, headers } = response;
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-disposition': `attachment; filename="transcript-${chat.id}.html"`,
    });
    const policy = headers['content-security-policy']!;
    expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/]+='; /);
    const inPage = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(text)![1]!;
    expect(policy.startsWith(inPage.replaceAll('&#39;', "'"))).toBe(true);
    expect(text).toMatch(/^<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">/);
    expect(text.match(/<title>/g)).toHaveLength(1);
    expect(text).toMatch(/End of transcript, messages: 2<\/footer>\n<\/body>\n<\/html>\n$/);
    expect(text).not.toMatch(/<(script|img|b)\b/);
    expect(text).toContain(
      '&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;&quot;&#39;&amp;\ufffd',
    );
  });

  it('every element that it opens is closed, and bodies keep their line breaks and their direction', async () => {
    const chat = await provision(running.api);
    await say(chat, chat.bob, 'שלום\n  second line', { mediaSid: `ME${'a'.repeat(32)}` });
    const html = await textOf(chat, 'html');
    expect(html).toContain('<p lang="" dir="auto">שלום\n  second line</p>');
    const open: string[] = [];
    for (const [, closing, name] of html.matchAll(/<(\/?)(\w+)[^>]*>/g)) {
      if (['meta', 'doctype'].includes(name!)) continue;
      if (closing === '/') expect(open.pop()).toBe(name);
      else open.push(name!);
    }
    expect(open).toEqual([]);
  });
});
