import { isIP } from 'node:net';
import { Injectable } from '@nestjs/common';
import { AppConfig } from '../../config/app-config.js';
import { Bucket, policyOf, type Policy } from './bucket.js';

/** Clients kept at once; beyond that the one that failed longest ago is forgotten. */
const CLIENTS_MAX = 10_000;
/** All failures of a minute may come in one go: a deployment that starts with an old key tries it many times at once. */
const BURST_SECONDS = 60;
/** Nobody has to wait for longer, in milliseconds, however many failed at once. */
const WAIT_MAX_MS = 60_000;

/**
 * Limits how often a client may present keys that are not good. Each would be asked of Postgres. Counted by address, in
 * this process alone.
 */
@Injectable()
export class FailedKeys {
  private readonly clients = new Map<string, Bucket>();
  private readonly policy: Policy | null;

  constructor(config: AppConfig) {
    const perMinute = config.access.failedKeysPerMinute;
    this.policy = perMinute === 0 ? null : policyOf(perMinute, BURST_SECONDS);
  }

  /** Whole seconds that this address has to wait; 0 where it may present a key now. */
  waitSeconds(address: string): number {
    const bucket = this.policy && this.clients.get(clientOf(address));
    return bucket && this.policy ? Math.ceil(bucket.waitMs(performance.now(), this.policy) / 1000) : 0;
  }

  /** A key from this address was not good. */
  note(address: string): void {
    if (!this.policy) return;
    const { costMs, burstMs } = this.policy;
    const client = clientOf(address);
    const now = performance.now();
    const bucket = this.clients.get(client) ?? new Bucket();
    // Also beyond what is in it: of many at once, all were let in before the first had failed.
    bucket.fullAt = Math.min(Math.max(bucket.fullAt, now) + costMs, now + burstMs + WAIT_MAX_MS);
    // Deleted first, so that they stand in the order in which they failed.
    this.clients.delete(client);
    this.clients.set(client, bucket);
    const [oldest] = this.clients.keys();
    if (this.clients.size > CLIENTS_MAX && oldest !== undefined) this.clients.delete(oldest);
  }
}

const WITH_PORT = /^(?:\[([^\]]+)\](?::\d+)?|([\d.]+):\d+)$/;

/** Who is taken for one client: an IPv4 address, or the 64 leading bits of an IPv6 one, of which anybody has plenty. */
export function clientOf(address: string): string {
  if (isIP(address) === 0) {
    // Some proxies write the client's port too. Without it, or all of their clients would be one.
    const [, v6, v4] = WITH_PORT.exec(address) ?? [];
    const bare = v6 ?? v4;
    return bare !== undefined && isIP(bare) !== 0 ? clientOf(bare) : 'unknown';
  }
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !address.includes(':')) return mapped ?? address;
  const [before = '', after] = address.replace(/%.*$/, '').split('::');
  const head = before.split(':').filter(Boolean);
  const tail = after?.split(':').filter(Boolean) ?? [];
  const zeros = Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => '0');
  return [...head, ...(after === undefined ? [] : zeros), ...tail].slice(0, 4).join(':');
}
