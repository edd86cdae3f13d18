import type { Scope } from '../../src/access/scopes.js';

/** An id that nothing has. */
export const NOBODYS_ID = '01890000-0000-7000-8000-000000000000';

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** Every route under /v1 that asks for no API key, as it has a credential of its own. */
export const PUBLIC_ROUTES: [Method, string][] = [
  ['post', '/v1/tokens/refresh'],
  ['post', '/v1/tokens/exchange'],
];

/** Every other route under /v1 and the scopes of which it asks for one; none where any key is let in. */
export const ROUTES: [Method, string, Scope[]][] = [
  ['post', '/v1/conversations', ['conversations:write']],
  ['put', '/v1/conversations/by-ref/x', ['conversations:write']],
  ['get', '/v1/conversations', ['conversations:read']],
  ['get', `/v1/conversations/${NOBODYS_ID}`, ['conversations:read']],
  ['patch', `/v1/conversations/${NOBODYS_ID}`, ['conversations:write']],
  ['delete', `/v1/conversations/${NOBODYS_ID}`, ['conversations:write']],
  ['post', `/v1/conversations/${NOBODYS_ID}/close`, ['conversations:write']],
  ['post', `/v1/conversations/${NOBODYS_ID}/transfer`, ['conversations:write']],
  ['post', `/v1/conversations/${NOBODYS_ID}/participants`, ['conversations:write']],
  ['get', `/v1/conversations/${NOBODYS_ID}/participants`, ['conversations:read']],
  ['get', `/v1/conversations/${NOBODYS_ID}/participants/${NOBODYS_ID}`, ['conversations:read']],
  ['patch', `/v1/conversations/${NOBODYS_ID}/participants/${NOBODYS_ID}`, ['conversations:write']],
  ['delete', `/v1/conversations/${NOBODYS_ID}/participants/${NOBODYS_ID}`, ['conversations:write']],
  ['post', `/v1/conversations/${NOBODYS_ID}/system-messages`, ['messages:write']],
  ['post', `/v1/conversations/${NOBODYS_ID}/messages`, ['messages:write']],
  ['get', `/v1/conversations/${NOBODYS_ID}/messages`, ['messages:read']],
  ['get', `/v1/conversations/${NOBODYS_ID}/messages/${NOBODYS_ID}`, ['messages:read']],
  ['patch', `/v1/conversations/${NOBODYS_ID}/messages/${NOBODYS_ID}`, ['messages:write']],
  ['delete', `/v1/conversations/${NOBODYS_ID}/messages/${NOBODYS_ID}`, ['messages:write']],
  ['get', `/v1/conversations/${NOBODYS_ID}/transcript`, ['messages:read']],
  ['post', '/v1/identities', ['identities:write']],
  ['put', '/v1/identities/by-external-id/x', ['identities:write']],
  ['post', '/v1/identities/import', ['identities:write']],
  ['get', '/v1/identities', ['identities:read']],
  ['get', `/v1/identities/${NOBODYS_ID}`, ['identities:read']],
  ['patch', `/v1/identities/${NOBODYS_ID}`, ['identities:write']],
  ['delete', `/v1/identities/${NOBODYS_ID}`, ['identities:write']],
  ['get', `/v1/identities/${NOBODYS_ID}/conversations`, ['conversations:read']],
  ['put', `/v1/identities/${NOBODYS_ID}/service-role`, ['roles:write']],
  ['post', `/v1/identities/${NOBODYS_ID}/suspend`, ['identities:write']],
  ['post', `/v1/identities/${NOBODYS_ID}/reinstate`, ['identities:write']],
  ['post', `/v1/identities/${NOBODYS_ID}/erase`, ['identities:erase']],
  ['get', '/v1/roles', []],
  ['post', '/v1/roles', ['roles:write']],
  ['get', '/v1/roles/drift', []],
  ['post', '/v1/roles/repair', ['roles:write']],
  ['get', `/v1/roles/${NOBODYS_ID}`, []],
  ['patch', `/v1/roles/${NOBODYS_ID}`, ['roles:write']],
  ['delete', `/v1/roles/${NOBODYS_ID}`, ['roles:write']],
  ['post', '/v1/tokens', ['tokens:mint']],
  ['get', `/v1/identities/${NOBODYS_ID}/token-sessions`, ['tokens:mint']],
  ['delete', `/v1/identities/${NOBODYS_ID}/token-sessions`, ['tokens:mint']],
  ['delete', `/v1/token-sessions/${NOBODYS_ID}`, ['tokens:mint']],
  ['get', '/v1/reconciliation', ['admin']],
  ['get', '/v1/drift', ['admin']],
  ['post', '/v1/drift/repair', ['admin']],
  ['post', `/v1/conversations/${NOBODYS_ID}/reconcile`, ['admin']],
  ['post', '/v1/api-keys', ['admin']],
  ['get', '/v1/api-keys', ['admin']],
  ['delete', `/v1/api-keys/${NOBODYS_ID}`, ['admin', 'operator']],
  ['post', '/v1/services', ['operator']],
  ['get', '/v1/services', ['operator']],
  ['get', `/v1/services/${NOBODYS_ID}`, ['admin', 'operator']],
  ['patch', `/v1/services/${NOBODYS_ID}`, ['admin', 'operator']],
];
