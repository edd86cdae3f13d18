import { SCOPES } from '../../src/access/scopes.js';
import { makeKey } from './access.js';
import type { ApiClient } from './api-client.js';
import { unique } from './app.js';
import { provision, type Chat } from './chats.js';
import { eventually } from './eventually.js';

interface Named {
  id: string;
  twilioSid: string;
}

/** A chat service with one of everything that can be in it, and who calls for it. */
export interface Side {
  serviceId: string;
  serviceSid: string;
  /** Holds every scope of its own service. */
  admin: ApiClient;
  /** The same, and operator. */
  operator: ApiClient;
  apiKeyId: string;
  chat: Chat;
  message: Named;
  /** Ada's identity. */
  identity: Named & { externalId: string };
  role: Named & { friendlyName: string };
  serviceRole: Named;
  sessionId: string;
  refreshToken: string;
}

/** Fills a new chat service, as the operator `api`. */
export async function newSide(api: ApiClient): Promise<Side> {
  const friendlyName = unique('service');
  const { body: service } = await api.post<Named>('/v1/services', { friendlyName }, 201);
  const serviceId = service.id;
  const scopes = SCOPES.filter((scope) => scope !== 'operator');
  const all = await makeKey(api, scopes, { serviceId });
  const admin = api.with(all.key);
  const operator = api.with((await makeKey(api, ['operator', 'admin'], { serviceId })).key);
  const chat = await provision(admin);
  const said = { author: chat.ada.id, body: unique('word') };
  const { body: message } = await admin.post<Named>(`${chat.path}/messages`, said, 201);
  const role = await newRole(admin, 'conversation', ['sendMessage']);
  const serviceRole = await newRole(admin, 'service', ['createConversation']);
  const externalId = chat.ada.identity?.externalId ?? '';
  const asked = { externalId, session: {} };
  const { body: minted } = await admin.post<{ session: { id: string; refreshToken: string } }>(
    '/v1/tokens',
    asked,
    201,
  );
  return {
    ...{ serviceId, serviceSid: service.twilioSid, admin, operator, apiKeyId: all.id },
    ...{ chat, message, role, serviceRole },
    identity: { ...(await madeAtTwilio(admin, chat.ada.identity?.id ?? '')), externalId },
    ...{ sessionId: minted.session.id, refreshToken: minted.session.refreshToken },
  };
}

/** Gives the identity a service role, for which it must have a User at Twilio; answers it when it has one. */
async function madeAtTwilio(api: ApiClient, id: string): Promise<Named> {
  return eventually(async () => {
    const { body } = await api.put<Named>(
      `/v1/identities/${id}/service-role`,
      { role: await serviceRoleOf(api) },
      200,
    );
    if (!body.twilioSid) throw new Error('Twilio has no User yet.');
    return body;
  });
}

/** A service role that every chat service has. */
async function serviceRoleOf(api: ApiClient): Promise<string> {
  const { body } = await api.get<{ data: { type: string; twilioSid: string }[] }>('/v1/roles?limit=100', 200);
  return body.data.find(({ type }) => type === 'service')?.twilioSid ?? '';
}

async function newRole(
  api: ApiClient,
  type: string,
  permissions: string[],
): Promise<Named & { friendlyName: string }> {
  const wanted = { friendlyName: unique('role'), type, permissions };
  const { body } = await api.post<Named & { friendlyName: string }>('/v1/roles', wanted, 201);
  return body;
}

/** Everything by which a path may name something of this side, by the name of the parameter. */
export function namesOn(side: Side, path: string): Record<string, string[]> {
  const { chat, message, identity, role } = side;
  const ids: Record<string, string> = {
    'api-keys': side.apiKeyId,
    services: side.serviceId,
    'token-sessions': side.sessionId,
  };
  const id = ids[path.split('/')[2] ?? ''];
  return {
    conversation: [chat.id, chat.twilioSid],
    participant: [chat.ada.id, chat.ada.twilioSid, identity.externalId],
    message: [message.id, message.twilioSid],
    identity: [identity.id, identity.twilioSid],
    sid: [role.twilioSid, role.id],
    ...(id !== undefined && { id: [id] }),
  };
}

/** What no answer to another service may hold. */
export function marksOf(side: Side): string[] {
  const { chat, message, identity, role, serviceRole } = side;
  const people = chat.participants.flatMap(({ id, twilioSid, identity: who }) => [
    id,
    twilioSid,
    who?.id ?? id,
    who?.twilioIdentity ?? id,
  ]);
  const named = [chat, message, identity, role, serviceRole].flatMap(({ id, twilioSid }) => [id, twilioSid]);
  return [side.serviceId, side.serviceSid, side.apiKeyId, side.sessionId, ...people, ...named];
}
