import { createHmac } from 'node:crypto';

/**
 * X-Twilio-Signature: HMAC-SHA1 with the account's auth token over the URL and, for a form, every
 * key with its value in the order of the keys. The fragment is no part of it, a query is.
 */
export function signature(authToken: string, url: string, form: Record<string, string>): string {
  const data = Object.keys(form)
    .sort()
    .reduce((text, key) => text + key + (form[key] ?? ''), url);
  return createHmac('sha1', authToken).update(data).digest('base64');
}
