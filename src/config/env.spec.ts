import { describe, expect, it } from 'vitest';
import { AppConfig, loadConfig, loadMigrateConfig } from './app-config.js';
import { ConfigError, Env, ENV_NAMES, readEnv } from './env.js';

const SECRET = 'a-secret-that-no-message-may-hold';

const needed = {
  DATABASE_URL: `postgres://convoke:${SECRET}@db:5432/convoke`,
  TWILIO_ACCOUNT_SID: `AC${'0'.repeat(32)}`,
  TWILIO_API_KEY_SID: `SK${'0'.repeat(32)}`,
  TWILIO_API_KEY_SECRET: SECRET,
  TWILIO_CHAT_SERVICE_SID: `IS${'0'.repeat(32)}`,
};

const sandbox = { TWILIO_API_BASE_URL: 'http://127.0.0.1:4010' };

function problemsOf(variables: NodeJS.ProcessEnv): string[] {
  try {
    readEnv(variables);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

/** Names of the variables that are complained about. */
const wrong = (variables: NodeJS.ProcessEnv): string[] => [
  ...new Set(problemsOf(variables).map((problem) => problem.split(':')[0] ?? '')),
];

describe('what is required', () => {
  it('is all that must be given', () => {
    expect(problemsOf(needed)).toEqual([]);
  });

  it('is listed whole where everything is missing', () => {
    expect(problemsOf({})).toEqual(Object.keys(needed).map((name) => `${name}: is required`));
  });

  it.each(Object.keys(needed))('%s: missing or empty, it stops the start', (name) => {
    expect(wrong({ ...needed, [name]: undefined })).toEqual([name]);
    expect(wrong({ ...needed, [name]: '' })).toEqual([name]);
  });
});

describe('TRUSTED_PROXIES', () => {
  it.each(['', '127.0.0.1', '10.0.0.0/8, ::1', 'loopback,uniquelocal', 'fd00::/8'])('takes %j', (text) => {
    expect(wrong({ ...needed, TRUSTED_PROXIES: text })).toEqual([]);
  });

  it.each(['proxy.example', '10.0.0.0/0', '10.0.0.0/33', '10.0.0.0/8/8', '::1/129', 'true', '10.0.0.0/x'])(
    'refuses %j',
    (text) => {
      expect(wrong({ ...needed, TRUSTED_PROXIES: text })).toEqual(['TRUSTED_PROXIES']);
    },
  );
});

describe('problems', () => {
  it('are all told at once, one line each, in the order of the documentation', () => {
    const variables = {
      ...needed,
      PORT: 'http',
      DATABASE_URL: 'mysql://x',
      LOG_LEVEL: 'loud',
      LEASE_MS: '1',
    };
    expect(wrong(variables)).toEqual(['PORT', 'DATABASE_URL', 'LEASE_MS', 'LOG_LEVEL']);
    expect(() => readEnv(variables)).toThrow(/not usable:\n( {2}- [A-Z_]+: [^\n]+\n?){4,}$/);
  });

  it('never hold a value, which may be a secret in the wrong place', () => {
    const variables = Object.fromEntries(ENV_NAMES.map((name) => [name, `${SECRET}\u0000`]));
    const told = problemsOf(variables);
    expect(told.length).toBeGreaterThan(15);
    expect(told.join('\n')).not.toContain(SECRET);
  });
});

describe('defaults', () => {
  it('hold for what is not given', () => {
    const { http, database, twilio, reconciler, bootstrapApiKey, corsOrigins, logLevel } = loadConfig(needed);
    expect({ http, database, twilio, reconciler, bootstrapApiKey, corsOrigins, logLevel }).toMatchObject({
      http: { host: '127.0.0.1', port: 3000, publicBaseUrl: null },
      database: { url: needed.DATABASE_URL, migrateOnStart: false },
      twilio: { baseUrl: null, authToken: null, callTimeoutMs: 4000 },
      reconciler: { leaseMs: 10_000, callTimeoutMs: 4000 },
      bootstrapApiKey: null,
      corsOrigins: [],
      logLevel: 'info',
    });
  });

  it('hold for what is given empty, as an unset variable comes out of a compose file', () => {
    const names = ENV_NAMES.filter((name) => !(name in needed));
    const empty = Object.fromEntries(names.map((name) => [name, '']));
    expect(problemsOf({ ...needed, ...empty })).toEqual([]);
    expect(loadConfig({ ...needed, ...empty })).toEqual(loadConfig(needed));
  });

  it('are read from the environment, each of them', () => {
    expect(ENV_NAMES).toEqual(expect.arrayContaining(Object.keys(new Env())));
  });
});

describe('bounds', () => {
  it.each([
    ['PORT', ['0', '65535'], ['-1', '65536', '1.5', 'x', 'NaN', 'Infinity']],
    ['DATABASE_POOL_SIZE', ['2', '100'], ['1', '101']],
    ['TWILIO_CALL_TIMEOUT_MS', ['100', '9750'], ['99', '60001']],
    ['TWILIO_MAX_CONCURRENCY', ['1', '500'], ['0', '501']],
    ['IDEMPOTENCY_KEEP_HOURS', ['72', '8760'], ['71', '8761']],
    ['FAILED_KEEP_DAYS', ['1', '3650'], ['0', '3651']],
    ['SHUTDOWN_GRACE_MS', ['0', '300000'], ['-1', '300001']],
    ['MIGRATE_ON_START', ['true', 'false'], ['yes', '1', 'TRUE']],
    [
      'JWKS_ALLOWED_PRIVATE_HOSTS',
      ['localhost', '127.0.0.1:4020, [::1]'],
      ['http://localhost', 'a,', 'user@host', 'a b'],
    ],
    ['ALLOW_SANDBOX', ['true', 'false'], ['yes', '1']],
    ['NODE_ENV', ['development', 'test', 'production'], ['prod', 'staging']],
    ['LOG_LEVEL', ['debug', 'silent'], ['verbose', 'INFO']],
    ['TWILIO_ACCOUNT_SID', [`AC${'aB'.repeat(16)}`], [`SK${'0'.repeat(32)}`, `AC${'0'.repeat(31)}`, 'AC']],
    ['TWILIO_API_KEY_SID', [`SK${'f'.repeat(32)}`], [`AC${'0'.repeat(32)}`]],
    ['TWILIO_CHAT_SERVICE_SID', [`IS${'f'.repeat(32)}`], [`CH${'0'.repeat(32)}`]],
    ['TWILIO_API_KEY_SECRET', ['x'.repeat(16)], ['x'.repeat(15)]],
    ['DATABASE_URL', ['postgresql://x'], ['postgres://', 'http://x', 'host=x']],
    ['TWILIO_API_BASE_URL', ['http://localhost:4010', 'https://sandbox'], ['localhost:4010', 'ftp://x', 'x']],
    ['PUBLIC_BASE_URL', ['https://chat.example.com'], ['chat.example.com']],
    [
      'BOOTSTRAP_API_KEY',
      [`cvk_a1_${'s'.repeat(32)}`],
      [`cvk_a1_${'s'.repeat(31)}`, `key_a1_${'s'.repeat(32)}`],
    ],
  ])('of %s: takes %j, refuses %j', (name, taken, refused) => {
    for (const value of taken) expect(wrong({ ...needed, [name]: value }), value).toEqual([]);
    for (const value of refused) expect(wrong({ ...needed, [name]: value }), value).toContain(name);
  });
});

describe('what depends on more than one variable', () => {
  it('refuses the sandbox in production, unless it is allowed by name', () => {
    const production = { ...needed, ...sandbox, NODE_ENV: 'production' };
    expect(wrong(production)).toEqual(['TWILIO_API_BASE_URL']);
    expect(wrong({ ...production, ALLOW_SANDBOX: 'false' })).toEqual(['TWILIO_API_BASE_URL']);
    expect(wrong({ ...production, ALLOW_SANDBOX: 'true' })).toEqual([]);
    expect(wrong({ ...needed, ...sandbox, NODE_ENV: 'development' })).toEqual([]);
    expect(wrong({ ...needed, NODE_ENV: 'production' })).toEqual([]);
  });

  it('refuses private hosts in production, in the same way', () => {
    const hosts = { ...needed, JWKS_ALLOWED_PRIVATE_HOSTS: 'localhost' };
    expect(wrong({ ...hosts, NODE_ENV: 'production' })).toEqual(['JWKS_ALLOWED_PRIVATE_HOSTS']);
    expect(wrong({ ...hosts, NODE_ENV: 'production', ALLOW_SANDBOX: 'true' })).toEqual([]);
    expect(wrong(hosts)).toEqual([]);
    const { tokenExchange } = loadConfig({ ...needed, JWKS_ALLOWED_PRIVATE_HOSTS: 'LocalHost, [::1]:80' });
    expect(tokenExchange.allowedPrivateHosts).toEqual(['localhost', '[::1]:80']);
  });

  it('demands a lease that outlives a call, with a margin', () => {
    const lease = (LEASE_MS: string, TWILIO_CALL_TIMEOUT_MS: string) =>
      wrong({ ...needed, LEASE_MS, TWILIO_CALL_TIMEOUT_MS });
    expect(lease('4249', '4000')).toEqual(['LEASE_MS']);
    expect(lease('4250', '4000')).toEqual([]);
    expect(lease('6000', '3000')).toEqual([]);
    expect(lease('10000', '10000')).toEqual(['LEASE_MS']);
    expect(wrong({ ...needed, TWILIO_CALL_TIMEOUT_MS: '20000' })).toEqual(['LEASE_MS']);
  });
});

describe('AppConfig', () => {
  it('splits the origins, and cannot be changed', () => {
    const config = loadConfig({ ...needed, CORS_ORIGINS: ' https://a.example, ,https://b.example ' });
    expect(config.corsOrigins).toEqual(['https://a.example', 'https://b.example']);
    expect(config).toBeInstanceOf(AppConfig);
    for (const part of [config.http, config.database, config.twilio, config.reconciler, config.corsOrigins]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });
});

describe('loadMigrateConfig', () => {
  it('needs the database alone, and does not print its password', () => {
    expect(loadMigrateConfig({ DATABASE_URL: needed.DATABASE_URL })).toEqual({
      databaseUrl: needed.DATABASE_URL,
    });
    for (const DATABASE_URL of [undefined, '', `mysql://x:${SECRET}@db/x`]) {
      const load = () => loadMigrateConfig({ DATABASE_URL });
      expect(load).toThrow(/DATABASE_URL/);
      expect(load).not.toThrow(SECRET);
    }
  });
});
