import { describe, expect, it } from 'vitest';
import type { AppConfig } from '../config/app-config.js';
import { BrowserLimits } from './browser-limits.js';

const limits = () => new BrowserLimits({ tokens: { browserRequestsPerMinute: 1 } } as unknown as AppConfig);

describe('BrowserLimits', () => {
  it('remembers no more clients than it has room for: the one that came longest ago is forgotten', () => {
    const known = limits();
    const address = (n: number) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;
    for (let n = 0; n < 10_000; n += 1) known.takeAddress(address(n));
    expect(() => known.takeAddress(address(1))).toThrow('Too many requests of this address.');
    known.takeAddress(address(10_000));
    known.takeAddress(address(0));
    expect(() => known.takeAddress(address(1))).toThrow('Too many requests of this address.');
  });
});
