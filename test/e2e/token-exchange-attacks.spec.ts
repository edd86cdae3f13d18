import { SignJWT, type JWTHeaderParameters, type JWTPayload } from 'jose';
import request, { type Response } from 'supertest';
import { beforeEach, describe, expect, it } from 'vitest';
import { unique, useApp } from '../support/app.js';
import { useCompanyLogin } from '../support/company-login.js';
import { expectProblem } from '../support/problems.js';

const login = useCompanyLogin();
/** What attackers serve at an address of their own. */
const evil = useCompanyLogin();
const running = useApp({ JWKS_ALLOWED_PRIVATE_HOSTS: '127.0.0.1' });

let key: Awaited<ReturnType<typeof login.newKey>>;
let serviceId: string;
let subject: string;

async function setting(externalIdClaim: string): Promise<void> {
  const jwksUrl = `${login.urlAt('127.0.0.1')}?${unique('test')}`;
  const tokenExchange = login.setting({ jwksUrl, externalIdClaim });
  await running.api.patch(`/v1/services/${serviceId}`, { tokenExchange }, 200);
}

beforeEach(async () => {
  const { body } = await running.api.get<{ data: { id: string }[] }>('/v1/services', 200);
  serviceId = body.data.at(-1)!.id;
  login.published = [];
  key = await login.newKey();
  subject = unique('cust');
  await setting('sub');
});

const exchange = (token: string): Promise<Response> =>
  Promise.resolve(
    request(running.server)
      .post('/v1/tokens/exchange')
      .set('authorization', `Bearer ${token}`)
      .send({ serviceId }),
  );

const seconds = (from: number): number => Math.floor(Date.now() / 1000) + from;

/** A token with any claims and header, right in all that is not changed. */
function sign(
  changes: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
  signer = key,
): Promise<string> {
  const { issuer: iss, audience: aud } = login;
  const claims = { iss, aud, sub: subject, exp: seconds(300), ...changes } as JWTPayload;
  const { alg, kid } = signer;
  const protectedHeader = { alg, kid, ...header } as JWTHeaderParameters;
  return new SignJWT(claims).setProtectedHeader(protectedHeader).sign(signer.privateKey);
}

const isRefused = async (token: string): Promise<void> =>
  void expectProblem(await exchange(token), 'unauthorized');

describe('POST /v1/tokens/exchange, 401', () => {
  it('for a token that brings its own key, or says where one is; nothing is fetched from there', async () => {
    const forged = await evil.newKey();
    const jku = evil.urlAt('127.0.0.1');
    const headers = [
      { jwk: forged.publicJwk },
      { jku },
      { x5u: jku },
      { x5c: ['MIIB'] },
      { jku, kid: key.kid },
    ];
    for (const header of headers) await isRefused(await sign({}, header, forged));
    expect(evil.asked).toBe(0);
    // Beside a good signature they say nothing.
    for (const header of headers) expect((await exchange(await sign({}, header))).status).toBe(201);
    expect(evil.asked).toBe(0);
  });

  it('for a token that is well signed and demands what nobody here understands', async () => {
    const { issuer, audience } = login;
    const token = new SignJWT({ iss: issuer, aud: audience, sub: subject, exp: seconds(300) });
    token.setProtectedHeader({ alg: key.alg, kid: key.kid!, crit: ['urn:x'], 'urn:x': true });
    await isRefused(await token.sign(key.privateKey, { crit: { 'urn:x': true } }));
  });

  it.each([
    ['an audience within another', () => ({ aud: [[login.audience]] })],
    ['an object for an audience', () => ({ aud: { [login.audience]: true } })],
    ['no audience at all', () => ({ aud: [] })],
    ['a list of issuers', () => ({ iss: [login.issuer] })],
    ['an issuer that only begins alike', () => ({ iss: `${login.issuer}x` })],
    ['a text for its end', () => ({ exp: String(seconds(300)) })],
    ['no end', () => ({ exp: undefined })],
    ['an end of null', () => ({ exp: null })],
    ['a beginning in the future', () => ({ nbf: seconds(90) })],
    ['a making in the future', () => ({ iat: seconds(90) })],
    ['a text for its making', () => ({ iat: 'now' })],
  ])('for %s', async (_, changes) => {
    await isRefused(await sign(changes()));
  });

  it('for whom no externalId can name: another type, too long, shaped like a sid, unprintable', async () => {
    const others = [42, true, null, [subject], { id: subject }, '', ' ', '.', '..', 'x'.repeat(256)];
    const shaped = ['US', 'IS', 'MB'].map((prefix) => prefix + '0'.repeat(32));
    const unprintable = ['a\u0000b', 'a\nb', 'a\u2028b', '\ud800'];
    await setting('https://example.com/id');
    for (const sub of [...others, ...shaped, ...unprintable]) {
      const token = await sign({ sub: subject, 'https://example.com/id': sub });
      expect((await exchange(token)).status, JSON.stringify(sub)).toBe(401);
    }
  });

  it('for a claim that every object has, and no token', async () => {
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      await setting(name);
      await isRefused(await sign());
    }
  });

  it('for a token that is as long as a header may be', async () => {
    await isRefused('x'.repeat(15_000));
    await isRefused(await sign({ padding: 'x'.repeat(9000) }));
  });
});

describe('POST /v1/tokens/exchange, 201', () => {
  it('for a name of 255 characters of any script, and for clocks that are half a minute off', async () => {
    for (const name of ['🧑'.repeat(255), 'é'.repeat(255)]) {
      const token = await sign({ sub: name, iat: seconds(20), nbf: seconds(20) });
      const response = await exchange(token);
      expect(response.status, response.text).toBe(201);
      expect((response.body as { identity: { externalId: string } }).identity.externalId).toBe(name);
    }
  });
});
