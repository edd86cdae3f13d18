import { expect, it } from 'vitest';
import { eventsOf, isBefore } from './transcript-format.js';
import { TranscriptParticipant } from './transcript.dto.js';

const SECOND = '2026-11-22T02:41:07';

const person = (id: string, joined: string, left: string | null = null): TranscriptParticipant =>
  Object.assign(new TranscriptParticipant(), {
    id: `${id} ${joined}`,
    identity: { id },
    address: null,
    joinedAt: `${SECOND}.${joined}Z`,
    leftAt: left && `${SECOND}.${left}Z`,
  });

const told = (...people: TranscriptParticipant[]): string[] =>
  eventsOf(people).map(({ what, who }) => `${who.identity?.id} ${what}`);

it('whoever hands over within a second leaves after the other has come', () => {
  expect(told(person('ada', '900', '950'), person('lin', '000'))).toEqual([
    'ada joined',
    'lin joined',
    'ada left',
  ]);
});

it('whoever leaves to come again within a second has left before that', () => {
  expect(told(person('bob', '100', '200'), person('bob', '000'))).toEqual([
    'bob joined',
    'bob left',
    'bob joined',
  ]);
});

it('whoever speaks has come, and leaves after what was said, to the second that Twilio tells', () => {
  const [joined, left] = eventsOf([person('ada', '650', '700')]);
  const said = `${SECOND}.000Z`;
  expect([joined!, left!].map((event) => isBefore(event, said))).toEqual([true, false]);
  expect(isBefore(left!, '2026-11-22T02:41:08.000Z')).toBe(true);
});
