import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK, type JWTPayload } from 'jose';
import { afterAll, beforeAll } from 'vitest';
import type { TokenExchange } from '../../src/chat-services/chat-service.entity.js';

interface SigningKey {
  kid: string | undefined;
  alg: string;
  privateKey: CryptoKey;
  publicJwk: JWK;
}

interface Served {
  status: number;
  body: string;
  headers?: Record<string, string>;
}

export interface LoginClaims {
  subject?: string | null;
  issuer?: string | null;
  audience?: string | string[] | null;
  /** Seconds from now; null: never. */
  expiresIn?: number | null;
  more?: JWTPayload;
}

/** A company's own login: signs tokens, and serves its public keys over HTTP. */
export class CompanyLogin {
  readonly issuer = 'https://login.example.com/';
  readonly audience = 'support-chat';
  /** Called for each request for the keys; answers what is served. */
  serve: () => Served | Promise<Served> = () => ({
    status: 200,
    body: JSON.stringify({ keys: this.published }),
  });
  /** How often the keys were asked for. */
  asked = 0;
  published: JWK[] = [];
  private server: Server | undefined;
  private made = 0;

  async start(): Promise<void> {
    this.server = createServer((request, response) => {
      this.asked += 1;
      request.resume();
      void Promise.resolve(this.serve()).then(({ status, body, headers = {} }) => {
        response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
      });
    });
    await new Promise<void>((listening) => this.server?.listen(0, '127.0.0.1', listening));
  }

  async stop(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise((closed) => (this.server ? this.server.close(closed) : closed(undefined)));
  }

  urlAt(host: string, scheme = 'http'): string {
    return `${scheme}://${host}:${(this.server?.address() as AddressInfo).port}/keys`;
  }

  /** The setting of a chat service that lets this login in. */
  setting(changes: Partial<TokenExchange> = {}): TokenExchange {
    return {
      issuer: this.issuer,
      audience: this.audience,
      jwksUrl: this.urlAt('127.0.0.1'),
      externalIdClaim: 'sub',
      createIdentities: true,
      ...changes,
    };
  }

  /** Makes a key and publishes it, unless told not to. */
  async newKey(alg = 'ES256', { kid = true, publish = true } = {}): Promise<SigningKey> {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    this.made += 1;
    const id = kid ? `key-${this.made}` : undefined;
    const publicJwk = { ...(await exportJWK(publicKey)), ...(id && { kid: id }), alg, use: 'sig' };
    if (publish) this.published.push(publicJwk);
    return { kid: id, alg, privateKey, publicJwk };
  }

  /** A token of this login. What is null is left out. */
  async sign(key: SigningKey, claims: LoginClaims = {}): Promise<string> {
    const { subject, issuer = this.issuer, audience = this.audience, expiresIn = 300, more } = claims;
    const token = new SignJWT(more ?? {}).setProtectedHeader({
      alg: key.alg,
      ...(key.kid && { kid: key.kid }),
    });
    if (subject) token.setSubject(subject);
    if (issuer !== null) token.setIssuer(issuer);
    if (audience !== null) token.setAudience(audience);
    if (expiresIn !== null) token.setExpirationTime(Math.floor(Date.now() / 1000) + expiresIn);
    return token.sign(key.privateKey);
  }
}

/** Gives the test file a login. Its keys are at a private address, which a service has to be told to allow. */
export function useCompanyLogin(): CompanyLogin {
  const login = new CompanyLogin();
  beforeAll(() => login.start());
  afterAll(() => login.stop());
  return login;
}
