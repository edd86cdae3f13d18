import { lookup as resolve, type LookupAddress, type LookupOptions } from 'node:dns';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { JSONWebKeySet } from 'jose';
import { Agent } from 'undici';
import { isAllowedHost, isPrivateAddress, outboundUrlProblem } from '../../common/http/outbound-url.js';
import { AppConfig } from '../../config/app-config.js';

/** Of one answer, in milliseconds: to connect, until the answer begins, between its parts; and all in all. */
const CONNECT_MS = 2000;
const ANSWER_MS = 3000;
const TOTAL_MS = 5000;
const ANSWER_MAX_BYTES = 256 * 1024;
const KEYS_MAX = 100;

type Found = (error: Error | null, address: string | LookupAddress[], family?: number) => void;

const BOUNDS = { headersTimeout: ANSWER_MS, bodyTimeout: ANSWER_MS, maxResponseSize: ANSWER_MAX_BYTES };

/**
 * Fetches the keys of a company's login from where its chat service says. The URL is somebody else's: https to public
 * addresses alone, checked after the name has been resolved and connected to as checked; no redirect is followed. Hosts
 * of `JWKS_ALLOWED_PRIVATE_HOSTS` are excepted.
 */
@Injectable()
export class JwksClient implements OnApplicationShutdown {
  private readonly guarded = new Agent({ ...BOUNDS, connect: { timeout: CONNECT_MS, lookup: publicOnly } });
  private readonly trusting = new Agent({ ...BOUNDS, connect: { timeout: CONNECT_MS } });
  private readonly allowedHosts: readonly string[];

  constructor(config: AppConfig) {
    this.allowedHosts = config.tokenExchange.allowedPrivateHosts;
  }

  /** Throws an Error that says why, for the log. */
  async fetch(text: string): Promise<JSONWebKeySet> {
    // Checked when it was set, but the hosts that are allowed may be others now.
    const problem = outboundUrlProblem(text, this.allowedHosts);
    if (problem !== null) throw new Error(problem);
    const url = new URL(text);
    const agent = isAllowedHost(url, this.allowedHosts) ? this.trusting : this.guarded;
    const response = await agent.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method: 'GET',
      headers: { accept: 'application/json' },
      signal: AbortSignal.timeout(TOTAL_MS),
    });
    if (response.statusCode !== 200) {
      await response.body.dump({ limit: 0 }).catch(() => undefined);
      throw new Error(`answered ${response.statusCode}`);
    }
    const { keys } = (await response.body.json()) as Partial<JSONWebKeySet>;
    if (!Array.isArray(keys) || keys.length > KEYS_MAX) throw new Error('answered no key set');
    return { keys };
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([this.guarded.destroy(), this.trusting.destroy()]);
  }
}

/** As `dns.lookup`, for what is to be connected to: every address must be public. */
function publicOnly(hostname: string, options: LookupOptions, found: Found): void {
  resolve(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return found(error, []);
    const [first] = addresses;
    if (!first || addresses.some(({ address }) => isPrivateAddress(address))) {
      return found(new Error('resolves to an address that is not public'), []);
    }
    if (options.all) found(null, addresses);
    else found(null, first.address, first.family);
  });
}
