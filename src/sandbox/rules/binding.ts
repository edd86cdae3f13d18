import type { MessagingBinding } from '../store/records.js';
import type { SandboxConfig } from '../config.js';
import { fail } from '../api/errors.js';

/** Refused as an address and as a proxy, as with Twilio's test numbers. */
const REFUSED_NUMBER = '+15005550001';
const E164 = /^\+[1-9]\d{6,14}$/;
const PREFIXED = /^(whatsapp|messenger|gbm|rcs|apple|chat):(.+)$/;
const EMAIL = /^[^\s@:]+@[^\s@:]+$/;

/** The channel an address belongs to, by its form; undefined when it has none of them. */
export function channelOf(address: string): string | undefined {
  if (E164.test(address)) return 'sms';
  const prefixed = PREFIXED.exec(address);
  if (prefixed === null) return EMAIL.test(address) ? 'email' : undefined;
  const [, channel, rest] = prefixed;
  return channel === 'whatsapp' && !E164.test(rest ?? '') ? undefined : channel;
}

const numberOf = (address: string): string => address.replace(/^\w+:/, '');

export function checkAddress(address: string): string {
  const channel = channelOf(address);
  if (channel === undefined || numberOf(address) === REFUSED_NUMBER) {
    throw fail(50407, `Invalid messaging binding address: ${address}`);
  }
  return channel;
}

/** A proxy must be the account's: SANDBOX_NUMBERS, or every well-formed one when that is not set. */
export function checkProxy(proxy: string, config: SandboxConfig): string {
  const channel = channelOf(proxy);
  if (channel === undefined) throw fail(50408, `Invalid messaging binding proxy address: ${proxy}`);
  const number = numberOf(proxy);
  if (number === REFUSED_NUMBER) throw notOurs(proxy);
  if (config.numbers === null || config.numbers.includes(proxy)) return channel;
  if (channel !== 'sms' && config.numbers.includes(number)) {
    if (channel === 'whatsapp') throw fail(50415, `${proxy} is not a WhatsApp sender of this account`);
    return channel;
  }
  throw notOurs(proxy);
}

const notOurs = (proxy: string) => fail(50413, `The proxy address ${proxy} does not belong to this account`);

/** The binding of a participant who is reached at an address. */
export function addressBinding(
  address: string,
  proxy: string | undefined,
  config: SandboxConfig,
): MessagingBinding {
  const type = checkAddress(address);
  if (proxy === undefined) return { type, address };
  if (address === proxy) throw fail(50409);
  if (checkProxy(proxy, config) !== type) throw fail(50414);
  return { type, address, proxy_address: proxy };
}

/** The binding of one who speaks with a number of the account (group texting). */
export function projectedBinding(projected: string, config: SandboxConfig): MessagingBinding {
  return { type: checkProxy(projected, config), projected_address: projected };
}
