import { unique } from './app.js';
import type { TestSandbox } from './sandbox.js';

let numbers = 0;

/** An address pair that no other test uses. */
export function addressPair(): { address: string; proxyAddress: string } {
  numbers += 1;
  const tail = String(process.pid % 10_000).padStart(4, '0') + String(numbers).padStart(4, '0');
  return { address: `+155${tail}`, proxyAddress: `+156${tail}` };
}

interface NewParticipant {
  kind?: string;
  externalId?: string;
  displayName?: string;
  role?: string;
  address?: string;
  proxyAddress?: string;
}

/** The body of a provision as the documents show it, with names of its own. */
export function supportChat({ byAddress = false } = {}) {
  const participants: NewParticipant[] = [
    { kind: 'agent', externalId: unique('agent'), displayName: 'Ada', role: 'agent' },
    { kind: 'customer', externalId: unique('cust'), displayName: 'Bob' },
  ];
  if (byAddress) participants.push({ kind: 'customer', ...addressPair(), externalId: unique('sms') });
  return {
    externalRef: unique('case'),
    friendlyName: 'Order 4711',
    attributes: { crm: 'hubspot' },
    participants,
    systemMessage: { body: 'Ada will be with you shortly.', attributes: {} },
    timers: { inactive: 'PT1H', closed: 'P1D' },
  };
}

export interface ChatContents {
  participants: { sid: string; identity: string | null; role_sid: string | null }[];
  messages: { sid: string; author: string; body: string; attributes: string }[];
}

/** What Twilio has of a conversation. */
export async function contentsOf(sandbox: TestSandbox, sid: string): Promise<ChatContents> {
  const path = `/v1/Conversations/${sid}`;
  const [{ participants }, { messages }] = await Promise.all([
    sandbox.twilio<Pick<ChatContents, 'participants'>>(`${path}/Participants?PageSize=100`),
    sandbox.twilio<Pick<ChatContents, 'messages'>>(`${path}/Messages?PageSize=100`),
  ]);
  return { participants, messages };
}
