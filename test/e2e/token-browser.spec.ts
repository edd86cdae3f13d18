import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { useApp } from '../support/app.js';
import { findBrowser, launchBrowser, servePage } from '../support/browser.js';
import { useCompanyLogin } from '../support/company-login.js';
import { openSession, sessionsOf, verdictOf, type Opened } from '../support/token-sessions.js';

const executable = findBrowser();
if (executable === null) {
  process.stderr.write('No Chromium here: what a browser does is not tested. CHROMIUM_PATH names one.\n');
}

/** A page as a front end has it: plain fetch, and no key. */
const HTML = `<!doctype html><title>chat</title><script>
  async function call(url, headers, body) {
    try {
      const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
      return { status: response.status, body: await response.json() };
    } catch (error) {
      return { status: 0, error: String(error) };
    }
  }
</script>`;

const [allowed, other] = [await servePage(HTML), await servePage(HTML)];
const login = useCompanyLogin();
const running = useApp({ CORS_ORIGINS: allowed.origin, JWKS_ALLOWED_PRIVATE_HOSTS: '127.0.0.1' });

afterAll(() => Promise.all([allowed.stop(), other.stop()]));

interface Called {
  status: number;
  body?: Opened & { code?: string };
  error?: string;
}

describe.skipIf(executable === null)('in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser(executable!);
  });
  afterAll(() => browser?.close());

  async function callFrom(
    origin: string,
    path: string,
    body: object,
    headers: Record<string, string> = {},
  ): Promise<Called> {
    const page = await browser.newPage();
    try {
      await page.goto(`${origin}/`);
      const sent = { 'content-type': 'application/json', ...headers };
      const url = `${await running.baseUrl()}${path}`;
      const args = [url, sent, body].map((arg) => JSON.stringify(arg)).join(', ');
      return await page.evaluate<Called>(`call(${args})`);
    } finally {
      await page.close();
    }
  }

  it('a page of an allowed origin refreshes its token, again and again, and reads failures', async () => {
    let { session } = await openSession(running);
    const used = session.refreshToken;
    for (let times = 0; times < 3; times += 1) {
      const { refreshToken } = session;
      const { status, body } = await callFrom(allowed.origin, '/v1/tokens/refresh', { refreshToken });
      expect(status).toBe(200);
      expect(await verdictOf(running, body!.token)).toMatchObject({ valid: true });
      session = body!.session;
    }
    await running.sql(`update token_session_graces set until = now()`);
    const reused = await callFrom(allowed.origin, '/v1/tokens/refresh', { refreshToken: used });
    expect(reused).toMatchObject({ status: 401, body: { code: 'refresh_token_reused' } });
  });

  it('a page of another origin is refused by the browser, and nothing is used up', async () => {
    const { session, identity } = await openSession(running);
    const { refreshToken } = session;
    const refused = await callFrom(other.origin, '/v1/tokens/refresh', { refreshToken });
    expect(refused).toEqual({ status: 0, error: 'TypeError: Failed to fetch' });
    const { data } = await sessionsOf(running, identity.id);
    expect(data).toMatchObject([{ id: session.id, refreshedAt: null }]);
  });

  it('a page of an allowed origin exchanges a login; one of another does not', async () => {
    const { body } = await running.api.get<{ data: { id: string }[] }>('/v1/services', 200);
    const serviceId = body.data[0]!.id;
    await running.api.patch(`/v1/services/${serviceId}`, { tokenExchange: login.setting() }, 200);
    const token = await login.sign(await login.newKey(), { subject: 'cust-1' });
    const authorization = `Bearer ${token}`;
    const path = '/v1/tokens/exchange';
    const exchanged = await callFrom(allowed.origin, path, { serviceId, session: {} }, { authorization });
    expect(exchanged).toMatchObject({ status: 201, body: { identity: { externalId: 'cust-1' } } });
    expect((await callFrom(other.origin, path, { serviceId }, { authorization })).status).toBe(0);
  });

  it('no page calls what needs a key, even with one', async () => {
    const headers = { authorization: `Bearer ${running.api.key}` };
    const refused = await callFrom(allowed.origin, '/v1/tokens', { externalId: 'x' }, headers);
    expect(refused).toEqual({ status: 0, error: 'TypeError: Failed to fetch' });
  });
});
