import type { Scope } from '../../src/access/scopes.js';
import type { ApiKeyResponse } from '../../src/chat-services/api-keys/api-key.dto.js';
import type { ApiClient } from './api-client.js';
import { unique } from './app.js';

interface MadeKey {
  id: string;
  key: string;
}

/** Makes an API key with these scopes, of the caller's chat service or of the one given. */
export async function makeKey(api: ApiClient, scopes: Scope[], more: object = {}): Promise<MadeKey> {
  const { body } = await api.post<MadeKey>('/v1/api-keys', { name: unique('key'), scopes, ...more }, 201);
  return body;
}

export interface KeyPage {
  data: ApiKeyResponse[];
  nextCursor: string | null;
}

/** The API keys of the caller's chat service; `query` names another one, for an operator. */
export async function keysOf(api: ApiClient, query = ''): Promise<ApiKeyResponse[]> {
  return (await api.get<KeyPage>(`/v1/api-keys?limit=100${query}`, 200)).body.data;
}

/** The same API for a caller who holds these scopes alone. */
export async function callerWith(api: ApiClient, ...scopes: Scope[]): Promise<ApiClient> {
  return api.with((await makeKey(api, scopes)).key);
}

/** Another chat service, and its admin. */
export async function otherService(api: ApiClient): Promise<{ id: string; admin: ApiClient }> {
  const { body } = await api.post<{ id: string }>('/v1/services', { friendlyName: unique('service') }, 201);
  const { id } = body;
  const { key } = await makeKey(api, ['admin'], { serviceId: id });
  return { id, admin: api.with(key) };
}
