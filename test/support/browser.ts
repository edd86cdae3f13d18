import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chromium, type Browser } from 'playwright-core';

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** Where a Chromium is: `CHROMIUM_PATH`, or a usual place. Null: nowhere; throws then where `REQUIRE_BROWSER=1`. */
export function findBrowser(): string | null {
  const found = [process.env['CHROMIUM_PATH'], ...PLACES].find((path) => path && existsSync(path)) ?? null;
  if (found === null && process.env['REQUIRE_BROWSER'] === '1') {
    throw new Error('REQUIRE_BROWSER=1, but there is no Chromium: install it, or say CHROMIUM_PATH.');
  }
  return found;
}

/** Headless, and quiet: it calls nobody by itself. */
export function launchBrowser(executablePath: string): Promise<Browser> {
  const args = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'];
  args.push('--disable-background-networking', '--disable-component-update', '--disable-sync');
  return chromium.launch({ executablePath, args });
}

export interface Page {
  origin: string;
  stop(): Promise<unknown>;
}

/** Serves one static page, at an origin of its own. */
export async function servePage(html: string): Promise<Page> {
  const server: Server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(html);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      server.closeAllConnections();
      return new Promise((closed) => server.close(closed));
    },
  };
}
