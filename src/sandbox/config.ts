/**
 * Every setting of the sandbox, and the only file of it that reads the environment. The defaults
 * are for development: anybody may know them, they open nothing but a sandbox.
 */
export const SANDBOX_DEFAULTS = {
  accountSid: 'AC5a4db0c5a4db0c5a4db0c5a4db0c5a4d',
  authToken: 'sandbox-auth-token-for-development-only',
  apiKeySid: 'SK5a4db0c5a4db0c5a4db0c5a4db0c5a4d',
  apiKeySecret: 'sandbox-api-key-secret-for-development-only',
  chatServiceSid: 'IS5a4db0c5a4db0c5a4db0c5a4db0c5a4d',
} as const;

const DEFAULT_MESSAGING_SERVICE_SID = 'MG5a4db0c5a4db0c5a4db0c5a4db0c5a4d';

export interface SandboxConfig {
  host: string;
  /** 0 picks a free one. */
  port: number;
  accountSid: string;
  authToken: string;
  apiKeySid: string;
  apiKeySecret: string;
  /** A second key of the account, while keys are rotated; null: there is none. */
  secondApiKeySid: string | null;
  secondApiKeySecret: string | null;
  /** The account's default service: there from the start, and again after each reset. */
  chatServiceSid: string;
  messagingServiceSid: string;
  /** Where the journal lies; null keeps everything in memory only. */
  dataDir: string | null;
  /** A journal longer than this (and than twice what it holds alive) is compacted. */
  compactBytes: number;
  /** Opens the control API to callers that are not on this machine; null: nobody else. */
  controlToken: string | null;
  /** Proxy numbers that the account owns; null: every well-formed one. */
  numbers: string[] | null;
  /** Changes a second that one service, and one conversation, may see; 0: no limit (Twilio: 30). */
  rateLimit: number;
  /** Requests at once before 20429 is answered; 0: no limit. */
  maxConcurrent: number;
}

export function defaultConfig(): SandboxConfig {
  return {
    host: '127.0.0.1',
    port: 0,
    ...SANDBOX_DEFAULTS,
    secondApiKeySid: null,
    secondApiKeySecret: null,
    messagingServiceSid: DEFAULT_MESSAGING_SERVICE_SID,
    dataDir: null,
    compactBytes: 64 * 1024 * 1024,
    controlToken: null,
    numbers: null,
    rateLimit: 0,
    maxConcurrent: 0,
  };
}

/** The settings of the process; throws one error that lists everything wrong. */
export function configFromEnvironment(environment: NodeJS.ProcessEnv = process.env): SandboxConfig {
  const defaults = defaultConfig();
  const problems: string[] = [];
  const read = <T>(name: string, fallback: T, convert: (text: string) => T | undefined, rule: string): T => {
    const text = environment[name];
    if (text === undefined || text === '') return fallback;
    const value = convert(text);
    if (value === undefined) problems.push(`${name} ${rule}`);
    return value ?? fallback;
  };
  const text = (name: string, fallback: string): string => read(name, fallback, (t) => t, '');
  const sid = (name: string, prefix: string, fallback: string): string =>
    read(
      name,
      fallback,
      (t) => (new RegExp(`^${prefix}[0-9a-fA-F]{32}$`).test(t) ? t : undefined),
      `must be ${prefix} and 32 hexadecimal digits`,
    );
  const count = (name: string, fallback: number, most: number): number =>
    read(
      name,
      fallback,
      (t) => (/^\d+$/.test(t) && Number(t) <= most ? Number(t) : undefined),
      `must be a whole number up to ${most}`,
    );

  const config: SandboxConfig = {
    host: text('SANDBOX_HOST', defaults.host),
    port: count('SANDBOX_PORT', 4010, 65535),
    accountSid: sid('SANDBOX_ACCOUNT_SID', 'AC', defaults.accountSid),
    authToken: text('SANDBOX_AUTH_TOKEN', defaults.authToken),
    apiKeySid: sid('SANDBOX_API_KEY_SID', 'SK', defaults.apiKeySid),
    apiKeySecret: text('SANDBOX_API_KEY_SECRET', defaults.apiKeySecret),
    secondApiKeySid: sid('SANDBOX_SECOND_API_KEY_SID', 'SK', '') || null,
    secondApiKeySecret: text('SANDBOX_SECOND_API_KEY_SECRET', '') || null,
    chatServiceSid: sid('SANDBOX_CHAT_SERVICE_SID', 'IS', defaults.chatServiceSid),
    messagingServiceSid: sid('SANDBOX_MESSAGING_SERVICE_SID', 'MG', defaults.messagingServiceSid),
    dataDir: read<string | null>('SANDBOX_DATA_DIR', null, (t) => t, ''),
    compactBytes: count('SANDBOX_COMPACT_BYTES', defaults.compactBytes, Number.MAX_SAFE_INTEGER),
    controlToken: read<string | null>('SANDBOX_CONTROL_TOKEN', null, (t) => t, ''),
    numbers: read<string[] | null>('SANDBOX_NUMBERS', null, (t) => t.split(',').map((n) => n.trim()), ''),
    rateLimit: count('SANDBOX_RATE_LIMIT', 0, 1_000_000),
    maxConcurrent: count('SANDBOX_MAX_CONCURRENT', 0, 1_000_000),
  };
  if (problems.length > 0) throw new Error(`The sandbox cannot start:\n  ${problems.join('\n  ')}`);
  return config;
}

/** The secret of each API key of the account, by its sid. */
export function apiKeysOf(config: SandboxConfig): Map<string, string> {
  const { apiKeySid, apiKeySecret, secondApiKeySid, secondApiKeySecret } = config;
  const keys = new Map([[apiKeySid, apiKeySecret]]);
  if (secondApiKeySid !== null && secondApiKeySecret !== null) keys.set(secondApiKeySid, secondApiKeySecret);
  return keys;
}
