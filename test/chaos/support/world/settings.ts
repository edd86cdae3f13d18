import { parseArgs } from 'node:util';

/** What a run is made of; printed with its seed. */
export interface Settings {
  seed: number;
  replicas: number;
  leaseMs: number;
  callTimeoutMs: number;
  /** How long what was accepted may take after the last thing that touched it, in milliseconds. */
  boundMs: number;
  /** Chats in the making at once. */
  actors: number;
  /** Shows how it gets on. */
  talks: boolean;
}

/** The settings of the long forms. */
export const LONG: Omit<Settings, 'seed'> = {
  replicas: 2,
  leaseMs: 6000,
  callTimeoutMs: 3000,
  boundMs: 15_000,
  actors: 12,
  talks: true,
};

/** Those of the short forms, which run with the tests. */
export const SHORT: Settings = {
  ...LONG,
  // The same in every run of the tests: what changes between two runs is then the code, or chance in the machine alone.
  seed: 1,
  leaseMs: 1500,
  callTimeoutMs: 700,
  actors: 6,
  talks: false,
};

/** For who gives none. */
export const drawSeed = (): number => Math.floor(Math.random() * 1_000_000);

/** Reads `--name N` for each of `defaults`; without `--seed` one is drawn. */
export function numbersFrom<Name extends string>(
  defaults: Record<Name, number>,
): Record<Name | 'seed', number> {
  const known = { seed: drawSeed(), ...defaults };
  const options = Object.fromEntries(Object.keys(known).map((name) => [name, { type: 'string' as const }]));
  const { values } = parseArgs({ options });
  for (const [name, text] of Object.entries(values)) {
    if (!/^\d+$/.test(String(text))) throw new Error(`--${name} wants a number.`);
    Object.assign(known, { [name]: Number(text) });
  }
  return known;
}
