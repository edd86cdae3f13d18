import { randomFillSync } from 'node:crypto';

export type SidPrefix =
  | 'AC'
  | 'SK'
  | 'IS'
  | 'MG'
  | 'CH'
  | 'MB'
  | 'IM'
  | 'ME'
  | 'HX'
  | 'DY'
  | 'US'
  | 'RL'
  | 'WH'
  | 'IG'
  | 'CR'
  | 'BS'
  | 'FW'
  | 'SM'
  | 'WA'
  | 'RQ';

const LENGTH = 34;
const SIDS = 256;
const random = Buffer.alloc(16 * SIDS);
const texts = Buffer.alloc(LENGTH * SIDS);
let used = SIDS;

/** Many at a time, as the characters they will be: joining two strings for each would cost more. */
function refill(): void {
  randomFillSync(random);
  const hex = random.toString('hex');
  for (let at = 0; at < SIDS; at++) texts.write(hex.slice(32 * at, 32 * at + 32), LENGTH * at + 2, 'latin1');
  used = 0;
}

/** Two letters and 128 random bits in hexadecimal, as every Twilio sid. */
export function newSid(prefix: SidPrefix): string {
  if (used === SIDS) refill();
  const at = LENGTH * used;
  used += 1;
  texts[at] = prefix.charCodeAt(0);
  texts[at + 1] = prefix.charCodeAt(1);
  return texts.toString('latin1', at, at + LENGTH);
}

export function looksLikeSid(prefix: SidPrefix, text: string): boolean {
  return text.length === 34 && text.startsWith(prefix) && /^[0-9a-fA-F]{32}$/.test(text.slice(2));
}
