import dns, { type LookupAddress } from 'node:dns';
import { createServer, type AddressInfo } from 'node:net';
import { syncBuiltinESMExports } from 'node:module';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AppConfig } from '../../config/app-config.js';
import { JwksClient } from './jwks-client.js';

const NAME = 'keys.login.example';

/** What the name server of an attacker says, once for each time it is asked. */
let answers: string[][] = [];
let asked = 0;
let connections = 0;
const listener = createServer((socket) => {
  connections += 1;
  socket.destroy();
});
const client = new JwksClient({ tokenExchange: { allowedPrivateHosts: [] } } as unknown as AppConfig);
const { lookup } = dns;

function answer(name: string, options: object, found: (error: Error | null, all: LookupAddress[]) => void) {
  if (name !== NAME) return lookup(name, options, found as never);
  asked += 1;
  const addresses = answers.shift() ?? ['127.0.0.1'];
  found(
    null,
    addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
  );
}

beforeAll(async () => {
  await new Promise<void>((listening) => listener.listen(0, '127.0.0.1', listening));
  dns.lookup = answer as typeof dns.lookup;
  syncBuiltinESMExports();
});
afterAll(async () => {
  dns.lookup = lookup;
  syncBuiltinESMExports();
  await client.onApplicationShutdown();
  listener.close();
});
beforeEach(() => {
  asked = 0;
  connections = 0;
});

const fetch = () => client.fetch(`https://${NAME}:${(listener.address() as AddressInfo).port}/keys`);

describe('the fetch of keys from a name that an attacker has', () => {
  it.each([
    [['127.0.0.1']],
    [['0.0.0.0']],
    [['10.0.0.1']],
    [['100.64.0.1']],
    [['169.254.169.254']],
    [['::1']],
    [['::']],
    [['::ffff:127.0.0.1']],
    [['::ffff:7f00:1']],
    [['64:ff9b::7f00:1']],
    [['fe80::1']],
    [['fd00::1']],
    [['2606:4700:4700::1111', '127.0.0.1']],
  ])('connects nowhere when it is said to be at %j', async (addresses) => {
    answers = [addresses];
    await expect(fetch()).rejects.toThrow('resolves to an address that is not public');
    expect({ asked, connections }).toEqual({ asked: 1, connections: 0 });
  });

  it('looks anew each time, and goes by that answer alone', async () => {
    for (let times = 1; times <= 3; times += 1) {
      answers = [['127.0.0.1'], ['2606:4700:4700::1111']];
      await expect(fetch()).rejects.toThrow('resolves to an address that is not public');
      expect({ asked, connections }).toEqual({ asked: times, connections: 0 });
    }
  });
});
