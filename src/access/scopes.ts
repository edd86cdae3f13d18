/** What an API key may do. `admin` holds all of its own chat service; `operator` alone reaches other ones. */
export const SCOPES = [
  'conversations:read',
  'conversations:write',
  'messages:read',
  'messages:write',
  'identities:read',
  'identities:write',
  'identities:erase',
  'roles:write',
  'tokens:mint',
  'webhooks:admin',
  'admin',
  'operator',
] as const;

export type Scope = (typeof SCOPES)[number];

/** `admin` implies every scope but `operator`, which stands beside it. */
export function holdsScope(held: readonly Scope[], wanted: Scope): boolean {
  return held.includes(wanted) || (wanted !== 'operator' && held.includes('admin'));
}
