import { ConfigError, listOf, readEnv, type Env } from './env.js';

/** The checked configuration, nested and frozen: what the rest of the code is given. Times are in milliseconds. */
export class AppConfig {
  readonly http: Readonly<{
    host: string;
    port: number;
    shutdownGraceMs: number;
    publicBaseUrl: string | null;
  }>;
  readonly corsOrigins: readonly string[];
  readonly trustedProxies: readonly string[];
  readonly database: Readonly<{ url: string; poolSize: number; migrateOnStart: boolean }>;
  readonly twilio: Readonly<{
    accountSid: string;
    apiKeySid: string;
    apiKeySecret: string;
    /** Signs access tokens. */
    signingKey: Readonly<{ sid: string; secret: string }>;
    authToken: string | null;
    defaultChatServiceSid: string;
    baseUrl: string | null;
    callTimeoutMs: number;
    maxConcurrency: number;
  }>;
  readonly reconciler: Readonly<{ leaseMs: number; callTimeoutMs: number }>;
  readonly tokens: Readonly<{
    refreshGraceSeconds: number;
    /** Zero: no limit. */
    browserRequestsPerMinute: number;
  }>;
  readonly retention: Readonly<{
    idempotencyKeepHours: number;
    failedKeepDays: number;
    sessionKeepDays: number;
  }>;
  readonly tokenExchange: Readonly<{ allowedPrivateHosts: readonly string[] }>;
  readonly bootstrapApiKey: string | null;
  /** Zero: no limit. */
  readonly access: Readonly<{ rateLimitPerMinute: number; failedKeysPerMinute: number }>;
  readonly logLevel: Env['LOG_LEVEL'];

  constructor(env: Env) {
    this.http = Object.freeze({
      host: env.HOST,
      port: env.PORT,
      shutdownGraceMs: env.SHUTDOWN_GRACE_MS,
      publicBaseUrl: env.PUBLIC_BASE_URL ?? null,
    });
    this.corsOrigins = Object.freeze(listOf(env.CORS_ORIGINS));
    this.trustedProxies = Object.freeze(listOf(env.TRUSTED_PROXIES));
    this.database = Object.freeze({
      url: env.DATABASE_URL,
      poolSize: env.DATABASE_POOL_SIZE,
      migrateOnStart: env.MIGRATE_ON_START,
    });
    this.twilio = Object.freeze({
      accountSid: env.TWILIO_ACCOUNT_SID,
      apiKeySid: env.TWILIO_API_KEY_SID,
      apiKeySecret: env.TWILIO_API_KEY_SECRET,
      signingKey: Object.freeze({
        sid: env.TWILIO_SIGNING_KEY_SID ?? env.TWILIO_API_KEY_SID,
        secret: env.TWILIO_SIGNING_KEY_SECRET ?? env.TWILIO_API_KEY_SECRET,
      }),
      authToken: env.TWILIO_AUTH_TOKEN ?? null,
      defaultChatServiceSid: env.TWILIO_CHAT_SERVICE_SID,
      baseUrl: env.TWILIO_API_BASE_URL ?? null,
      callTimeoutMs: env.TWILIO_CALL_TIMEOUT_MS,
      maxConcurrency: env.TWILIO_MAX_CONCURRENCY,
    });
    this.reconciler = Object.freeze({ leaseMs: env.LEASE_MS, callTimeoutMs: env.TWILIO_CALL_TIMEOUT_MS });
    this.tokens = Object.freeze({
      refreshGraceSeconds: env.REFRESH_GRACE_SECONDS,
      browserRequestsPerMinute: env.BROWSER_REQUESTS_PER_MINUTE,
    });
    this.retention = Object.freeze({
      idempotencyKeepHours: env.IDEMPOTENCY_KEEP_HOURS,
      failedKeepDays: env.FAILED_KEEP_DAYS,
      sessionKeepDays: env.TOKEN_SESSIONS_KEEP_DAYS,
    });
    this.tokenExchange = Object.freeze({
      allowedPrivateHosts: Object.freeze(listOf(env.JWKS_ALLOWED_PRIVATE_HOSTS.toLowerCase())),
    });
    this.bootstrapApiKey = env.BOOTSTRAP_API_KEY ?? null;
    this.access = Object.freeze({
      rateLimitPerMinute: env.RATE_LIMIT_PER_MINUTE,
      failedKeysPerMinute: env.FAILED_KEYS_PER_MINUTE,
    });
    this.logLevel = env.LOG_LEVEL;
  }
}

/** Throws ConfigError with every problem listed. */
export function loadConfig(source: NodeJS.ProcessEnv = process.env): AppConfig {
  return new AppConfig(readEnv(source));
}

/** What `npm run migrate` needs: it runs where no Twilio credentials are. */
export function loadMigrateConfig(source: NodeJS.ProcessEnv = process.env): { databaseUrl: string } {
  const databaseUrl = source.DATABASE_URL;
  if (!databaseUrl || !/^postgres(ql)?:\/\/.+/.test(databaseUrl)) {
    throw new ConfigError(['DATABASE_URL: must be a postgres:// connection string']);
  }
  return { databaseUrl };
}
