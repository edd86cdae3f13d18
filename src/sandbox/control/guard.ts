import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

const LOOPBACK_ADDRESS = /^(?:::ffff:)?127\.|^::1$/;
const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];

/**
 * The control API can do everything, so it is open only to programs on this machine: a page in a
 * browser comes with an Origin, a rebound name with a Host of its own. Others need the token.
 */
export function mayControl(
  remoteAddress: string | undefined,
  headers: IncomingHttpHeaders,
  token: string | null,
): boolean {
  const given = /^bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
  if (token !== null && given !== undefined) return sameText(given, token);
  if (!LOOPBACK_ADDRESS.test(remoteAddress ?? '') || !isLoopback(`http://${headers.host ?? ''}`))
    return false;
  const { origin } = headers;
  return origin === undefined || origin === `http://${headers.host ?? ''}`;
}

function isLoopback(url: string): boolean {
  return URL.canParse(url) && LOOPBACK_NAMES.includes(new URL(url).hostname);
}

function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
