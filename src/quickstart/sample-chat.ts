import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';

/** What the banner shows of a conversation; the rest is passed on as it came. */
export interface SampleChat {
  id: string;
  twilioSid: string;
  state: string;
  participants: { role: string; identity: { externalId: string; displayName: string } | null }[];
  systemMessage: { body: string } | null;
}

/** The body of a provisioning call: one agent, one customer, one greeting. */
export function sampleBody(externalRef?: string) {
  return {
    ...(externalRef === undefined ? {} : { externalRef }),
    friendlyName: 'Order 4711',
    participants: [
      { kind: 'agent', externalId: 'agent-7', displayName: 'Ada' },
      { kind: 'customer', externalId: 'cust-42', displayName: 'Bob' },
    ],
    systemMessage: { body: 'Ada will be with you shortly.' },
  };
}

const PATIENCE_MS = 60_000;
const POLL_MS = 100;

/**
 * Provisions a chat of its own through the HTTP API, as a backend would, and answers it as GET does once it stands. Each
 * call makes a new one, so that what became of an earlier one does not matter. Throws with what the service answered.
 */
export async function provisionSampleChat(baseUrl: string, apiKey: string): Promise<SampleChat> {
  const externalRef = `quickstart-${randomBytes(6).toString('hex')}`;
  let chat = await call<SampleChat>(apiKey, `${baseUrl}/v1/conversations`, sampleBody(externalRef));
  const deadline = Date.now() + PATIENCE_MS;
  do {
    chat = await call<SampleChat>(apiKey, `${baseUrl}/v1/conversations/${chat.id}`);
    if (chat.state !== 'provisioning') break;
    await pause(POLL_MS);
  } while (Date.now() < deadline);
  if (chat.state !== 'active') throw new Error(`The sample chat is ${chat.state}, not active.`);
  return chat;
}

async function call<T>(apiKey: string, url: string, body?: object): Promise<T> {
  const response = await fetch(url, {
    method: body ? 'POST' : 'GET',
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    ...(body ? { body: JSON.stringify(body) } : {}),
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  const text = await response.text();
  if (response.status === 401) {
    throw new Error(
      'The service does not take the API key (revoked?). Remove the file api-key in DATA_DIR for a new one.',
    );
  }
  if (!response.ok) {
    throw new Error(`${body ? 'POST' : 'GET'} ${url} answered ${response.status}: ${text}`);
  }
  return JSON.parse(text) as T;
}
