import { expect } from 'vitest';
import type { ApiClient } from './api-client.js';
import type { TestApp } from './app.js';
import { eventually } from './eventually.js';

/** One difference, as it is answered. */
export interface DriftFinding {
  kind: string;
  conversation: { id: string | null; twilioSid: string | null; externalRef: string | null } | null;
  participant: {
    id: string | null;
    twilioSid: string | null;
    identity: { externalId: string } | null;
  } | null;
  message: { id: string; twilioSid: string } | null;
  identity: { id: string; externalId: string | null; twilioSid: string | null } | null;
  ours: unknown;
  twilio: unknown;
  repair: string;
  outcome?: string;
  detail?: string | null;
}

export interface DriftPage {
  part: string;
  data: DriftFinding[];
  checked: number;
  inMotion: string[];
  nextCursor: string | null;
}

/** All pages of a report, or of a repair when `repair` is given: what is sent with each. */
export async function drift(
  api: ApiClient,
  { limit = 100, repair }: { limit?: number; repair?: object } = {},
): Promise<DriftPage[]> {
  const pages: DriftPage[] = [];
  for (let cursor: string | null | undefined; cursor !== null;) {
    const query = new URLSearchParams({ limit: String(limit), ...(cursor && { cursor }) });
    const body = { limit, ...(cursor && { cursor }), ...repair };
    const page = repair
      ? await api.post<DriftPage>('/v1/drift/repair', body, 200)
      : await api.get<DriftPage>(`/v1/drift?${query.toString()}`, 200);
    pages.push(page.body);
    cursor = page.body.nextCursor;
  }
  return pages;
}

/** What is found on them. */
export async function findings(...args: Parameters<typeof drift>): Promise<DriftFinding[]> {
  return (await drift(...args)).flatMap(({ data }) => data);
}

/** What is found once everything has come to rest. */
export function whenAtRest(api: ApiClient): Promise<DriftFinding[]> {
  return eventually(async () => {
    const pages = await drift(api);
    expect(pages.flatMap(({ inMotion }) => inMotion)).toEqual([]);
    return pages.flatMap(({ data }) => data);
  });
}

/** Removes all conversations, here and at Twilio, so that the next test finds none of this one's. */
export async function clear({ api, sandbox }: TestApp): Promise<void> {
  const { body } = await api.get<{ data: { id: string }[] }>('/v1/conversations?limit=100', 200);
  for (const { id } of body.data) await api.delete(`/v1/conversations/${id}`, 204);
  const list = '/v1/Conversations?PageSize=100';
  const { conversations } = await sandbox.twilio<{ conversations: { sid: string }[] }>(list);
  for (const { sid } of conversations) await sandbox.write('DELETE', `/v1/Conversations/${sid}`);
}
