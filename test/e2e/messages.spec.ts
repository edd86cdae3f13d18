import { describe, expect, it } from 'vitest';
import { callerWith, otherService } from '../support/access.js';
import { unique, useApp } from '../support/app.js';
import { addressPair, contentsOf, provision, roleAtTwilio, textsIn, type Chat } from '../support/chats.js';
import { eventually } from '../support/eventually.js';
import { expectInvalid, expectProblem } from '../support/problems.js';
import { NOBODYS_ID } from '../support/routes.js';

const running = useApp();
const MEDIA = `ME${'a'.repeat(32)}`;

const attributesOf = async (chat: Chat, sid: string) => {
  const { messages } = await contentsOf(running.sandbox, chat.twilioSid);
  return JSON.parse(messages.find((one) => one.sid === sid)?.attributes ?? '') as Record<string, unknown>;
};

describe('POST /v1/conversations/{conversation}/system-messages', () => {
  it('201: the system says it, once, and Location says where it is', async () => {
    const chat = await provision(running.api);
    const body = { body: 'Ada is typing 🦉', attributes: { a: 1 } };
    const { body: sent, headers } = await running.api.post(`${chat.path}/system-messages`, body, 201);
    expect(sent).toMatchObject({
      ...body,
      state: 'sent',
      author: { type: 'system' },
      media: [],
      delivery: null,
    });
    expect(sent.index).toBeGreaterThan(0);
    expect(headers['location']).toBe(`${chat.path}/messages/${sent.id}`);
    const { messages } = await contentsOf(running.sandbox, chat.twilioSid);
    expect(messages.at(-1)).toMatchObject({ sid: sent.twilioSid, author: 'system', body: body.body });
    expect((await running.api.get(headers['location']!, 200)).body).toEqual(sent);
  });

  it('keeps its own mark at Twilio, which answers do not show', async () => {
    const chat = await provision(running.api);
    const { body: sent } = await running.api.post(`${chat.path}/system-messages`, { body: 'hi' }, 201);
    expect(sent.attributes).toEqual({});
    expect(await attributesOf(chat, sent.twilioSid)).toEqual({ convoke: { id: sent.id, type: 'system' } });
  });

  it.each([
    ['without a body', {}, 'body'],
    ['with an empty body', { body: '' }, 'body'],
    ['over 32,768 bytes', { body: 'é'.repeat(16_385) }, 'body'],
    ['with the key that is ours', { body: 'x', attributes: { convoke: 1 } }, 'attributes'],
    ['with attributes over 3,840 bytes', { body: 'x', attributes: { a: 'x'.repeat(3840) } }, 'attributes'],
    ['with an author', { body: 'x', author: 'agent-7' }, 'author'],
  ])('400: %s', async (_, body, field) => {
    const chat = await provision(running.api);
    expectInvalid(await running.api.post(`${chat.path}/system-messages`, body, 400), field);
    expect((await contentsOf(running.sandbox, chat.twilioSid)).messages).toHaveLength(1);
  });

  it('201: with the longest body and the largest attributes that there are', async () => {
    const chat = await provision(running.api);
    const body = { body: 'é'.repeat(16_384), attributes: { a: 'x'.repeat(3840 - '{"a":""}'.length) } };
    await running.api.post(`${chat.path}/system-messages`, body, 201);
  });

  it('400: over 1,600 characters where somebody gets it by SMS, 201 with as many', async () => {
    const chat = await provision(running.api);
    const path = `${chat.path}/system-messages`;
    await running.api.post(path, { body: 'x'.repeat(1601) }, 201);
    const { body: sms } = await running.api.post(`${chat.path}/participants`, addressPair(), 201);
    expectInvalid(await running.api.post(path, { body: 'x'.repeat(1601) }, 400), 'body');
    await running.api.post(path, { body: 'x'.repeat(1600) }, 201);
    await running.api.delete(`${chat.path}/participants/${sms.id}`, 204);
    await running.api.post(path, { body: 'x'.repeat(1601) }, 201);
  });

  it('201: wakes an inactive conversation, here too', async () => {
    const chat = await provision(running.api);
    await running.api.patch(chat.path, { state: 'inactive' }, 200);
    await running.api.post(`${chat.path}/system-messages`, { body: 'hi' }, 201);
    expect((await running.api.get(chat.path, 200)).body.state).toBe('active');
  });
});

describe('POST /v1/conversations/{conversation}/messages', () => {
  it('201: says it for a participant, named by id, MB… or externalId', async () => {
    const chat = await provision(running.api);
    const path = `${chat.path}/messages`;
    const { id, twilioSid, identity } = chat.bob;
    for (const author of [id, twilioSid, identity!.externalId]) {
      const { body: sent, headers } = await running.api.post(path, { author, body: 'hello' }, 201);
      expect(sent.author).toEqual({ type: 'identity', identity });
      expect(headers['location']).toBe(`${path}/${sent.id}`);
    }
    const { messages } = await contentsOf(running.sandbox, chat.twilioSid);
    expect(messages.slice(1).map(({ author }) => author)).toEqual(Array(3).fill(identity?.twilioIdentity));
  });

  it('201: says it for an address, which acts by the preset of a customer', async () => {
    const chat = await provision(running.api);
    const { body: sms } = await running.api.post(`${chat.path}/participants`, addressPair(), 201);
    const body = { author: sms.id, body: 'by SMS', mediaSid: MEDIA };
    const { body: sent } = await running.api.post(`${chat.path}/messages`, body, 201);
    expect(sent).toMatchObject({
      author: { type: 'address', address: sms.address },
      media: [{ sid: MEDIA }],
    });
  });

  it('201: with media', async () => {
    const chat = await provision(running.api);
    const body = { author: chat.ada.id, body: 'see', mediaSid: MEDIA };
    const { body: sent } = await running.api.post(`${chat.path}/messages`, body, 201);
    expect(sent.media).toMatchObject([{ sid: MEDIA, filename: null }]);
  });

  it('201: tells how far it has come to those who get it by SMS', async () => {
    const chat = await provision(running.api);
    await running.api.post(`${chat.path}/participants`, addressPair(), 201);
    const body = { author: chat.ada.id, body: 'hello' };
    const { body: sent } = await running.api.post(`${chat.path}/messages`, body, 201);
    await eventually(async () => {
      const { body: read } = await running.api.get(`${chat.path}/messages/${sent.id}`, 200);
      expect(read.delivery).toEqual({
        total: 1,
        sent: 'all',
        delivered: 'all',
        read: 'none',
        failed: 'none',
        undelivered: 'none',
      });
    });
  });

  it('403: a role without the permission may not speak, though Twilio would let it', async () => {
    const chat = await provision(running.api);
    const role = await roleAtTwilio(running.sandbox, unique('mute'), ['leaveConversation']);
    await running.api.patch(`${chat.path}/participants/${chat.bob.id}`, { role }, 200);
    const response = await running.api.post(`${chat.path}/messages`, { author: chat.bob.id, body: 'x' }, 403);
    expect(expectProblem(response, 'role_forbids').detail).toMatch(/mute-.* lacks sendMessage/);
    expect((await contentsOf(running.sandbox, chat.twilioSid)).messages).toHaveLength(1);
  });

  it('403: nor send media without that permission', async () => {
    const chat = await provision(running.api);
    const role = await roleAtTwilio(running.sandbox, unique('textonly'), ['sendMessage']);
    const path = `${chat.path}/messages`;
    await running.api.patch(`${chat.path}/participants/${chat.bob.id}`, { role }, 200);
    await running.api.post(path, { author: chat.bob.id, body: 'x' }, 201);
    const media = { author: chat.bob.id, body: 'x', mediaSid: MEDIA };
    expectProblem(await running.api.post(path, media, 403), 'role_forbids');
  });

  it('404: nobody speaks who is not in', async () => {
    const chat = await provision(running.api);
    const other = await provision(running.api);
    await running.api.delete(`${chat.path}/participants/${chat.bob.id}`, 204);
    for (const author of ['nobody', NOBODYS_ID, chat.bob.id, other.ada.id]) {
      const response = await running.api.post(`${chat.path}/messages`, { author, body: 'x' }, 404);
      expectProblem(response, 'participant_not_found');
    }
  });

  it.each([
    ['without an author', { body: 'x' }, 'author'],
    ['without a body', { author: 'x' }, 'body'],
    ['with a sid that is none', { author: 'x', body: 'x', mediaSid: 'ME1' }, 'mediaSid'],
  ])('400: %s', async (_, body, field) => {
    const chat = await provision(running.api);
    expectInvalid(await running.api.post(`${chat.path}/messages`, body, 400), field);
  });

  it('422: what Twilio refuses, with its code; the next one goes through', async () => {
    const chat = await provision(running.api);
    const says = [
      [`${chat.path}/system-messages`, {}],
      [`${chat.path}/messages`, { author: chat.bob.id }],
    ] as const;
    for (const [path, author] of says) {
      await running.sandbox.fault(
        { method: 'POST', path: '/Messages$' },
        { type: 'status', status: 400, code: 50504 },
      );
      const response = await running.api.post(path, { ...author, body: 'refused' }, 422);
      expect(expectProblem(response, 'upstream_refused')).toMatchObject({ twilio: { code: 50504 } });
      await running.api.post(path, { ...author, body: 'taken' }, 201);
    }
    expect(await textsIn(running, chat)).toEqual(['taken', 'taken']);
  });

  it('202: with Location and the message as it waits, readable by then', async () => {
    const chat = await provision(running.api);
    await running.sandbox.fault(
      { method: 'POST', path: '/Messages$', times: 1 },
      { type: 'delay', ms: 1000, applied: 'before' },
    );
    const headers = { prefer: 'respond-async' };
    const body = { author: chat.ada.id, body: 'hello', attributes: { a: 1 }, mediaSid: MEDIA };
    const response = await running.api.post(`${chat.path}/messages`, body, 202, { headers });
    const waiting = { state: 'sending', twilioSid: null, index: null, body: 'hello', attributes: { a: 1 } };
    expect(response.body.media).toEqual([{ sid: MEDIA, contentType: null, filename: null, size: null }]);
    expect(response.body).toMatchObject({ ...waiting, author: { identity: { id: chat.ada.identity?.id } } });
    const location = response.headers['location']!;
    expect((await running.api.get(location, 200)).body).toEqual(response.body);
    await eventually(async () => {
      expect((await running.api.get(location, 200)).body).toMatchObject({ state: 'sent', body: 'hello' });
    });
    await running.sandbox.clearFaults();
  });
});

describe('Scopes and chat services', () => {
  it('403: reading asks for messages:read, changing for messages:write', async () => {
    const chat = await provision(running.api);
    const reader = await callerWith(running.api, 'messages:read', 'conversations:write');
    const writer = await callerWith(running.api, 'messages:write', 'conversations:read');
    await reader.get(`${chat.path}/messages`, 200);
    expectProblem(await writer.get(`${chat.path}/messages`, 403), 'missing_scope');
    const { body } = await writer.post(`${chat.path}/system-messages`, { body: 'x' }, 201);
    const path = `${chat.path}/messages/${body.id}`;
    expectProblem(await writer.get(path, 403), 'missing_scope');
    await reader.post(`${chat.path}/system-messages`, { body: 'x' }, 403);
    await reader.post(`${chat.path}/messages`, { author: chat.ada.id, body: 'x' }, 403);
    await reader.patch(path, { body: 'y' }, 403);
    await reader.delete(path, 403);
  });

  it('404 on every route for a caller of another chat service', async () => {
    const chat = await provision(running.api);
    const { admin } = await otherService(running.api);
    const { body } = await running.api.post(`${chat.path}/system-messages`, { body: 'x' }, 201);
    const path = `${chat.path}/messages`;
    await admin.post(`${chat.path}/system-messages`, { body: 'x' }, 404);
    await admin.post(path, { author: chat.ada.id, body: 'x' }, 404);
    await admin.get(path, 404);
    for (const name of [body.id, body.twilioSid]) {
      await admin.get(`${path}/${name}`, 404);
      await admin.patch(`${path}/${name}`, { body: 'y' }, 404);
      await admin.delete(`${path}/${name}`, 404);
    }
    const { messages } = await contentsOf(running.sandbox, chat.twilioSid);
    expect(messages.map((one) => one.body)).toEqual(['Ada will be with you shortly.', 'x']);
  });
});
