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

const pool = Buffer.alloc(4096);
let used = pool.length;

/** Two letters and 128 random bits in hexadecimal, as every Twilio sid. */
export function newSid(prefix: SidPrefix): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const hex = pool.toString('hex', used, used + 16);
  used += 16;
  return prefix + hex;
}

export function looksLikeSid(prefix: SidPrefix, text: string): boolean {
  return text.length === 34 && text.startsWith(prefix) && /^[0-9a-fA-F]{32}$/.test(text.slice(2));
}
