import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '../world/random.js';
import type { Replica } from '../world/replica.js';
import type { World } from '../world/world.js';

export interface Outcome {
  status: number;
  text: string;
  /** Asked more than once: an earlier call may have been the one that was heard. */
  repeated: boolean;
}

export interface CallOptions {
  key?: string;
  prefer?: string;
}

/** How long a caller goes on asking before the program gives up: above the longest round of kills, each of which cuts him off. */
const PATIENCE_MS = 300_000;
/** A frozen replica answers when it is woken; a call is never given up before, or it would be heard later. */
const CALL_MS = 80_000;

/** After that a caller with a key asks another replica as well. */
const IMPATIENT_MS = 700;

/** Codes of answers after which the same is asked again. */
const AGAIN = /"code":"(idempotency_in_progress|external_ref_taken)"/;

/** A backend that calls whichever replica it happens to reach, and asks again until it knows. */
export class Client {
  /** `replicas` are those that it reaches: all, unless some are named. */
  constructor(
    private readonly world: World,
    private readonly random: Random,
    private readonly replicas: readonly Replica[] | null = null,
  ) {}

  /** Asks again until the end is known. Null when that is not within all patience. */
  async ask(method: string, path: string, body: object | undefined, options: CallOptions = {}) {
    const until = Date.now() + PATIENCE_MS;
    for (let round = 0; Date.now() < until; round += 1) {
      // Only the first time: a caller without a key who never waits would never know.
      const asked = round === 0 ? options : { ...options, prefer: 'wait=20' };
      const call = this.once(method, path, body, asked).catch(() => null);
      // With a key there is no harm in asking somebody else meanwhile: the first may be frozen.
      const outcome = await (options.key === undefined
        ? call
        : Promise.race([call, pause(IMPATIENT_MS, null, { ref: false })]));
      if (outcome && isEnd(outcome)) return { ...outcome, repeated: round > 0 };
      await pause(this.random.between(50, 250));
    }
    return null;
  }

  /** Asks one replica once; throws when no answer came. */
  async once(
    method: string,
    path: string,
    body: object | undefined,
    { key, prefer }: CallOptions = {},
  ): Promise<Outcome> {
    const up = (this.replicas ?? this.world.replicas).filter(({ baseUrl }) => baseUrl !== null);
    if (up.length === 0) throw new Error('No replica is there.');
    const response = await fetch(this.random.pick(up).baseUrl + path, {
      method,
      headers: {
        authorization: `Bearer ${this.world.apiKey}`,
        ...(body && { 'content-type': 'application/json' }),
        ...(key !== undefined && { 'idempotency-key': key }),
        ...(prefer !== undefined && { prefer }),
      },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(CALL_MS),
    });
    return { status: response.status, text: await response.text(), repeated: false };
  }
}

function isEnd({ status, text }: Outcome): boolean {
  if (status === 202 || status === 429 || status >= 500) return false;
  return !(status === 409 && AGAIN.test(text));
}
