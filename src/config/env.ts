import 'reflect-metadata';
import { isIP } from 'node:net';
import { plainToInstance, Transform } from 'class-transformer';
import {
  IsBoolean,
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  IsUrl,
  Matches,
  Max,
  Min,
  MinLength,
  ValidateBy,
  validateSync,
} from 'class-validator';

const integer = () => Transform(({ value }: { value: unknown }) => Number(value));
const boolean = () =>
  Transform(({ value }: { value: unknown }) => (value === 'true' ? true : value === 'false' ? false : value));

/** The members of a list that is separated by commas. */
export const listOf = (text: string): string[] => text.split(',').flatMap((member) => member.trim() || []);

/** As a browser sends it: nothing behind the port, no default port, no capitals. */
const isOrigin = (text: string): boolean =>
  /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text;

/** An address, a network, or a name for several of them. */
function isProxy(text: string): boolean {
  if (/^(loopback|linklocal|uniquelocal)$/.test(text)) return true;
  const [address = '', bits, ...more] = text.split('/');
  const widest = { 0: 0, 4: 32, 6: 128 }[isIP(address)] ?? 0;
  const fits = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) >= 1 && Number(bits) <= widest);
  return widest > 0 && fits && more.length === 0;
}

/** A list that is separated by commas, each of whose members is good. */
const IsListOf = (name: string, isMember: (text: string) => boolean, message: string): PropertyDecorator =>
  ValidateBy({
    name,
    validator: {
      validate: (value) => typeof value === 'string' && listOf(value).every(isMember),
      defaultMessage: () => message,
    },
  });

/** Every variable that the service reads. The README's table and `.env.example` are held equal to this class. */
export class Env {
  /** `production` refuses the sandbox unless ALLOW_SANDBOX says otherwise. */
  @IsIn(['development', 'test', 'production'])
  NODE_ENV: 'development' | 'test' | 'production' = 'development';

  /** TCP port, 0 to 65535; 0 picks a free one. */
  @integer() @IsInt() @Min(0) @Max(65_535) PORT = 3000;

  /** Address to listen on. The image sets 0.0.0.0. */
  @IsString() @MinLength(1) HOST = '127.0.0.1';

  /** Required. PostgreSQL connection string. */
  @Matches(/^postgres(ql)?:\/\/.+/, { message: 'must be a postgres:// connection string' })
  DATABASE_URL!: string;

  /** Connections of this process to Postgres, 2 to 100; one more is kept for LISTEN. */
  @integer() @IsInt() @Min(2) @Max(100) DATABASE_POOL_SIZE = 10;

  /** Required. The account's sid. */
  @Matches(/^AC[0-9a-fA-F]{32}$/, { message: 'must be an account sid (AC and 32 hexadecimal digits)' })
  TWILIO_ACCOUNT_SID!: string;

  /** Required. The API key that calls Twilio and signs access tokens. */
  @Matches(/^SK[0-9a-fA-F]{32}$/, { message: 'must be an API key sid (SK and 32 hexadecimal digits)' })
  TWILIO_API_KEY_SID!: string;

  /** Required. Its secret. */
  @IsString() @MinLength(16) TWILIO_API_KEY_SECRET!: string;

  /** Another API key of the account, which then signs access tokens in place of the one above: while keys are rotated. */
  @IsOptional()
  @Matches(/^SK[0-9a-fA-F]{32}$/, { message: 'must be an API key sid (SK and 32 hexadecimal digits)' })
  TWILIO_SIGNING_KEY_SID?: string;

  /** Its secret; both or neither. */
  @IsOptional() @IsString() @MinLength(16) TWILIO_SIGNING_KEY_SECRET?: string;

  /** Checks webhook signatures (Twilio signs with the account's token, not with an API key). */
  @IsOptional() @IsString() @MinLength(16) TWILIO_AUTH_TOKEN?: string;

  /** Required. The default chat service. */
  @Matches(/^IS[0-9a-fA-F]{32}$/, { message: 'must be a chat service sid (IS and 32 hexadecimal digits)' })
  TWILIO_CHAT_SERVICE_SID!: string;

  /** Origin to call in Twilio's place: the sandbox. Refused with NODE_ENV=production unless ALLOW_SANDBOX=true. */
  @IsOptional()
  @IsUrl({ require_tld: false, require_protocol: true, protocols: ['http', 'https'] })
  TWILIO_API_BASE_URL?: string;

  /** Time-out of one call to Twilio in milliseconds, 100 to 60000. */
  @integer() @IsInt() @Min(100) @Max(60_000) TWILIO_CALL_TIMEOUT_MS = 4000;

  /** Calls to Twilio under way at once in this process, 1 to 500. */
  @integer() @IsInt() @Min(1) @Max(500) TWILIO_MAX_CONCURRENCY = 50;

  /** How long a replica owns a row before another may take over, in milliseconds; above the call time-out. */
  @integer() @IsInt() @Min(500) @Max(600_000) LEASE_MS = 10_000;

  /** How long an Idempotency-Key and its answer are kept, in hours; 72 or more. */
  @integer() @IsInt() @Min(72) @Max(8760) IDEMPOTENCY_KEEP_HOURS = 168;

  /** How long a conversation that could not be provisioned stays listed, in days. */
  @integer() @IsInt() @Min(1) @Max(3650) FAILED_KEEP_DAYS = 30;

  /** How long a used refresh token is answered with what was given for it, in seconds: networks lose answers. */
  @integer() @IsInt() @Min(1) @Max(60) REFRESH_GRACE_SECONDS = 20;

  /** How long a token session that is over stays listed, in days. */
  @integer() @IsInt() @Min(1) @Max(3650) TOKEN_SESSIONS_KEEP_DAYS = 30;

  /** Where Twilio and browsers reach this service. */
  @IsOptional()
  @IsUrl({ require_tld: false, require_protocol: true, protocols: ['http', 'https'] })
  PUBLIC_BASE_URL?: string;

  /** Exact origins that browsers may refresh and exchange tokens from, separated by commas. */
  @IsListOf(
    'isOriginList',
    isOrigin,
    'must be origins such as https://app.example.com, without a path, separated by commas',
  )
  CORS_ORIGINS = '';

  /** An operator and admin key of the default chat service, made known at start when it is not. */
  @IsOptional()
  @Matches(/^cvk_[A-Za-z0-9]{1,64}_[A-Za-z0-9_-]{32,256}$/, {
    message: 'must look like cvk_<keyId>_<secret>, with a secret of at least 32 characters',
  })
  BOOTSTRAP_API_KEY?: string;

  /** Requests a minute that an API key may make, 0 to 1000000, where it has no limit of its own; 0: no limit. */
  @integer() @IsInt() @Min(0) @Max(1_000_000) RATE_LIMIT_PER_MINUTE = 60_000;

  /** Requests a minute without a key (refresh, exchange) that one client address may make, 0 to 1000000; 0: no limit. */
  @integer() @IsInt() @Min(0) @Max(1_000_000) BROWSER_REQUESTS_PER_MINUTE = 3000;

  /** Requests a minute with a key that is not good that one address may make, 0 to 1000000; 0: no limit. */
  @integer() @IsInt() @Min(0) @Max(1_000_000) FAILED_KEYS_PER_MINUTE = 60;

  /**
   * Proxies before this service, as addresses, networks (10.0.0.0/8) or `loopback`, `linklocal`, `uniquelocal`, separated
   * by commas: from them X-Forwarded-For is taken for the client's address.
   */
  @IsListOf('isProxyList', isProxy, 'must be addresses or networks, separated by commas') TRUSTED_PROXIES =
    '';

  /**
   * Hosts (`host` or `host:port`) that a chat service's `tokenExchange` may fetch keys from although they are private or
   * speak http, separated by commas. Refused with NODE_ENV=production unless ALLOW_SANDBOX=true.
   */
  @Matches(/^$|^[^\s,/@]+(\s*,\s*[^\s,/@]+)*$/, {
    message: 'must be hosts, each with a port or without, separated by commas',
  })
  JWKS_ALLOWED_PRIVATE_HOSTS = '';

  /** Allows TWILIO_API_BASE_URL and JWKS_ALLOWED_PRIVATE_HOSTS in production. */
  @boolean() @IsBoolean() ALLOW_SANDBOX = false;

  /** Runs the migrations at start; otherwise `npm run migrate` does. */
  @boolean() @IsBoolean() MIGRATE_ON_START = false;

  /** How long a stop waits for requests under way, in milliseconds. */
  @integer() @IsInt() @Min(0) @Max(300_000) SHUTDOWN_GRACE_MS = 10_000;

  @IsIn(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
  LOG_LEVEL: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent' = 'info';
}

/** Thrown at start; `problems` names every variable that is wrong or missing. Never holds a value. */
export class ConfigError extends Error {
  constructor(readonly problems: string[]) {
    super(`The configuration is not usable:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

/** Room between a call's time-out and the end of the lease: what is sent in time is answered or dropped before a take-over. */
const LEASE_MARGIN_MS = 250;

function crossChecks(env: Env): string[] {
  const problems: string[] = [];
  if (env.NODE_ENV === 'production' && env.TWILIO_API_BASE_URL && !env.ALLOW_SANDBOX) {
    problems.push('TWILIO_API_BASE_URL: not in production, unless ALLOW_SANDBOX=true');
  }
  if (env.NODE_ENV === 'production' && env.JWKS_ALLOWED_PRIVATE_HOSTS && !env.ALLOW_SANDBOX) {
    problems.push('JWKS_ALLOWED_PRIVATE_HOSTS: not in production, unless ALLOW_SANDBOX=true');
  }
  if ((env.TWILIO_SIGNING_KEY_SID === undefined) !== (env.TWILIO_SIGNING_KEY_SECRET === undefined)) {
    problems.push('TWILIO_SIGNING_KEY_SID: goes with TWILIO_SIGNING_KEY_SECRET, both or neither');
  }
  if (env.LEASE_MS < env.TWILIO_CALL_TIMEOUT_MS + LEASE_MARGIN_MS) {
    problems.push(`LEASE_MS: must exceed TWILIO_CALL_TIMEOUT_MS by at least ${LEASE_MARGIN_MS}`);
  }
  return problems;
}

/**
 * Reads and checks the variables. An empty one counts as left out: that is how an unset one comes out of a compose file.
 * Throws ConfigError with every problem at once.
 */
export function readEnv(source: NodeJS.ProcessEnv): Env {
  const known: Partial<Record<string, string>> = Object.fromEntries(
    ENV_NAMES.flatMap((name) => (source[name] ? [[name, source[name]]] : [])),
  );
  const env = plainToInstance(Env, known, { exposeDefaultValues: true });
  const problems = validateSync(env, { forbidUnknownValues: true }).flatMap((error) =>
    known[error.property] === undefined
      ? [`${error.property}: is required`]
      : Object.values(error.constraints ?? {}).map((text) =>
          text.startsWith(error.property)
            ? text.replace(error.property, `${error.property}:`)
            : `${error.property}: ${text}`,
        ),
  );
  problems.push(...crossChecks(env));
  if (problems.length > 0) throw new ConfigError(problems);
  return env;
}

/** The names, in the order of the class. */
export const ENV_NAMES = [
  'NODE_ENV',
  'PORT',
  'HOST',
  'DATABASE_URL',
  'DATABASE_POOL_SIZE',
  'TWILIO_ACCOUNT_SID',
  'TWILIO_API_KEY_SID',
  'TWILIO_API_KEY_SECRET',
  'TWILIO_SIGNING_KEY_SID',
  'TWILIO_SIGNING_KEY_SECRET',
  'TWILIO_AUTH_TOKEN',
  'TWILIO_CHAT_SERVICE_SID',
  'TWILIO_API_BASE_URL',
  'TWILIO_CALL_TIMEOUT_MS',
  'TWILIO_MAX_CONCURRENCY',
  'LEASE_MS',
  'IDEMPOTENCY_KEEP_HOURS',
  'FAILED_KEEP_DAYS',
  'REFRESH_GRACE_SECONDS',
  'TOKEN_SESSIONS_KEEP_DAYS',
  'PUBLIC_BASE_URL',
  'CORS_ORIGINS',
  'BOOTSTRAP_API_KEY',
  'RATE_LIMIT_PER_MINUTE',
  'BROWSER_REQUESTS_PER_MINUTE',
  'FAILED_KEYS_PER_MINUTE',
  'TRUSTED_PROXIES',
  'JWKS_ALLOWED_PRIVATE_HOSTS',
  'ALLOW_SANDBOX',
  'MIGRATE_ON_START',
  'SHUTDOWN_GRACE_MS',
  'LOG_LEVEL',
] as const satisfies (keyof Env)[];
