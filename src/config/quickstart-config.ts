import { isAbsolute, relative, resolve } from 'node:path';
import { loadConfig, type AppConfig } from './app-config.js';

/** What `npm run quickstart` reads, beside the variables of the service and of the sandbox. */
export interface QuickstartConfig {
  /** DATA_DIR: holds Postgres, the sandbox's journal, the API key and quickstart.json. Absolute. */
  dataDir: string;
  /** The same as people are shown it: relative where it is below the current folder. */
  shownDataDir: string;
  /** DATABASE_URL: a server to use in place of the embedded one. */
  databaseUrl: string | null;
  /** BOOTSTRAP_API_KEY: a key to use in place of one made up and kept. */
  bootstrapApiKey: string | null;
  /** npm started this process; when npm is killed, nobody else would stop it. */
  startedByNpm: boolean;
}

/** What quickstart supplies to the service. */
export interface Supplied {
  databaseUrl: string;
  apiKey: string;
  sandbox: {
    baseUrl: string;
    accountSid: string;
    authToken: string;
    apiKeySid: string;
    apiKeySecret: string;
    chatServiceSid: string;
  };
}

export function loadQuickstartConfig(source: NodeJS.ProcessEnv = process.env): QuickstartConfig {
  const dataDir = resolve(source.DATA_DIR || '.convoke');
  const below = relative(process.cwd(), dataDir);
  return {
    dataDir,
    shownDataDir: below === '' || below.startsWith('..') || isAbsolute(below) ? dataDir : below,
    databaseUrl: source.DATABASE_URL || null,
    bootstrapApiKey: source.BOOTSTRAP_API_KEY || null,
    startedByNpm: source.npm_lifecycle_event === 'quickstart',
  };
}

/**
 * The service's configuration: as the environment says, but on the sandbox, whatever Twilio account the environment
 * names. Throws ConfigError with every problem listed.
 */
export function serviceConfig(
  { databaseUrl, apiKey, sandbox }: Supplied,
  source: NodeJS.ProcessEnv = process.env,
): AppConfig {
  return loadConfig({
    ...source,
    DATABASE_URL: databaseUrl,
    TWILIO_ACCOUNT_SID: sandbox.accountSid,
    TWILIO_AUTH_TOKEN: sandbox.authToken,
    TWILIO_API_KEY_SID: sandbox.apiKeySid,
    TWILIO_API_KEY_SECRET: sandbox.apiKeySecret,
    TWILIO_CHAT_SERVICE_SID: sandbox.chatServiceSid,
    TWILIO_API_BASE_URL: sandbox.baseUrl,
    ALLOW_SANDBOX: 'true',
    BOOTSTRAP_API_KEY: apiKey,
    // The request log would bury what quickstart says; LOG_LEVEL=info shows it.
    LOG_LEVEL: source.LOG_LEVEL || 'warn',
  });
}
