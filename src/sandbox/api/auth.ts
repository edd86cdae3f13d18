import { apiKeysOf, type SandboxConfig } from '../config.js';

/** HTTP Basic with the account's sid and token, or with an API key's sid and secret. */
export class Authentication {
  private readonly accepted: ReadonlySet<string>;

  constructor(config: SandboxConfig) {
    const keys = [...apiKeysOf(config)].map((pair) => pair.join(':'));
    this.accepted = new Set(
      [`${config.accountSid}:${config.authToken}`, ...keys].map((text) =>
        Buffer.from(text).toString('base64'),
      ),
    );
  }

  accepts(header: string | undefined): boolean {
    if (header === undefined) return false;
    return header.slice(0, 6).toLowerCase() === 'basic ' && this.accepted.has(header.slice(6).trim());
  }
}
