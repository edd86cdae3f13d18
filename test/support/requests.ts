import { unique, type TestApp } from './app.js';
import { provision, type Chat, type Person } from './chats.js';
import type { ApiClient } from './api-client.js';

/** What requests name: a chat of their own, with Mia in it, whose role is no preset. */
export interface Stage {
  api: ApiClient;
  chat: Chat;
  mia: Person;
  message: string;
  role: { twilioSid: string; friendlyName: string };
  /** Path of Bob by his `US…`, which only Twilio knows so far. */
  bob: string;
  /** The same of Carl, who has left. */
  carl: string;
  /** `IS…` of a chat service that has not been adopted. */
  serviceSid: string;
}

export type Request = [path: string, body?: object];

type Ask = (stage: Stage) => Request | Promise<Request>;

/** A good request for each operation that reads through to Twilio before anything else, by its `operationId`. */
export const READS_FIRST: Record<string, Ask> = {
  provisionConversation: ({ role }) => ['/v1/conversations', { participants: [somebody(role)] }],
  provisionConversationByRef: ({ role }) => [
    `/v1/conversations/by-ref/${unique('case')}`,
    { participants: [somebody(role)] },
  ],
  transferConversation: ({ chat, role }) => [
    `${chat.path}/transfer`,
    { from: chat.ada.id, to: somebody(role) },
  ],
  addParticipant: ({ chat, role }) => [`${chat.path}/participants`, somebody(role)],
  updateParticipant: ({ chat, role }) => [
    `${chat.path}/participants/${chat.bob.id}`,
    { role: role.friendlyName },
  ],
  sendMessage: ({ chat, mia }) => [`${chat.path}/messages`, { author: mia.id, body: unique('word') }],
  listMessages: ({ chat }) => [`${chat.path}/messages`],
  getMessage: ({ message }) => [message],
  updateMessage: ({ message }) => [message, { body: unique('word') }],
  deleteMessage: ({ message }) => [message],
  getTranscript: ({ chat }) => [`${chat.path}/transcript`],
  createIdentity: () => [
    '/v1/identities',
    { kind: 'agent', externalId: unique('agent'), serviceRole: 'service admin' },
  ],
  getIdentity: ({ bob }) => [bob],
  updateIdentity: ({ bob }) => [bob, { displayName: unique('Bob') }],
  assignServiceRole: ({ bob }) => [`${bob}/service-role`, { role: 'service admin' }],
  deleteIdentity: ({ carl }) => [carl],
  suspendIdentity: ({ bob }) => [`${bob}/suspend`],
  reinstateIdentity: ({ bob }) => [`${bob}/reinstate`],
  eraseIdentity: ({ bob }) => [`${bob}/erase`, { messages: 'keep' }],
  listConversationsOfIdentity: ({ bob }) => [`${bob}/conversations`],
  listTokenSessions: ({ bob }) => [`${bob}/token-sessions`],
  revokeTokenSessions: ({ bob }) => [`${bob}/token-sessions`],
  listRoles: () => ['/v1/roles'],
  getRole: ({ role }) => [`/v1/roles/${role.twilioSid}`],
  updateRole: ({ role }) => [`/v1/roles/${role.twilioSid}`, { permissions: ['sendMessage'] }],
  deleteRole: ({ role }) => [`/v1/roles/${role.twilioSid}`],
  getRoleDrift: () => ['/v1/roles/drift'],
  createService: ({ serviceSid }) => ['/v1/services', { twilioSid: serviceSid }],
  reportDrift: () => ['/v1/drift'],
  repairDrift: ({ chat }) => ['/v1/drift/repair', { conversations: [chat.id] }],
};

/** The same for each that asks Twilio for nothing before its wish is written, or only waits for a wish. */
export const WISHES_FIRST: Record<string, Ask> = {
  updateConversation: ({ chat }) => [chat.path, { friendlyName: unique('name') }],
  deleteConversation: ({ chat }) => [chat.path],
  closeConversation: ({ chat }) => [`${chat.path}/close`, { systemMessage: { body: unique('word') } }],
  reconcileConversation: async ({ api, chat }) => {
    const headers = { prefer: 'respond-async' };
    await api.post(`${chat.path}/system-messages`, { body: unique('word') }, 202, { headers });
    return [`${chat.path}/reconcile`];
  },
  removeParticipant: ({ chat }) => [`${chat.path}/participants/${chat.bob.id}`],
  sendSystemMessage: ({ chat }) => [`${chat.path}/system-messages`, { body: unique('word') }],
  createRole: () => [
    '/v1/roles',
    { friendlyName: unique('role'), type: 'conversation', permissions: ['sendMessage'] },
  ],
  repairRoles: () => ['/v1/roles/repair'],
};

const somebody = (role: Stage['role']) => ({
  kind: 'agent',
  externalId: unique('agent'),
  role: role.friendlyName,
});

export async function newStage({ api, sandbox }: Pick<TestApp, 'api' | 'sandbox'>): Promise<Stage> {
  const wanted = { friendlyName: unique('role'), type: 'conversation', permissions: ['sendMessage'] };
  const { body: role } = await api.post<Stage['role']>('/v1/roles', wanted, 201);
  const chat = await provision(api);
  const { body: mia } = await api.post<Person>(`${chat.path}/participants`, somebody(role), 201);
  const carl = await api.post<Person>(`${chat.path}/participants`, somebody(role), 201);
  await api.delete(`${chat.path}/participants/${carl.body.id}`, 204);
  const said = { author: chat.ada.id, body: unique('word') };
  const { body: message } = await api.post<{ id: string }>(`${chat.path}/messages`, said, 201);
  const byUser = async ({ identity }: Person): Promise<string> => {
    const user = await sandbox.twilio<{ sid: string }>(`/v1/Users/${identity?.twilioIdentity}`);
    return `/v1/identities/${user.sid}`;
  };
  const service = await sandbox.write<{ sid: string }>('POST', '/v1/Services', [
    ['FriendlyName', unique('service')],
  ]);
  return {
    ...{ api, chat, mia, role, serviceSid: service.sid },
    message: `${chat.path}/messages/${message.id}`,
    bob: await byUser(chat.bob),
    carl: await byUser(carl.body),
  };
}
