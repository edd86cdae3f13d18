import 'reflect-metadata';
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { describe, expect, it } from 'vitest';
import {
  codePoints,
  IfGiven,
  isExternalId,
  isExternalKey,
  IsAttributes,
  IsLine,
  IsMessageBody,
  isUuid,
} from './text.js';

class Sample {
  @IfGiven() @IsLine(3) line?: unknown;
  @IfGiven() @IsMessageBody() message?: unknown;
  @IfGiven() @IsAttributes(40, ['ours']) attributes?: unknown;
}

const problems = (plain: object): string[] =>
  validateSync(plainToInstance(Sample, plain)).map(({ property }) => property);

const JSON_40 = (size: number) => ({ a: 'x'.repeat(size - 8) });

describe('codePoints', () => {
  it('counts what people call characters where UTF-16 has two units', () => {
    expect(['', 'abc', 'ü', '😀😀', '名'].map(codePoints)).toEqual([0, 3, 1, 2, 1]);
  });
});

describe('isUuid', () => {
  it('takes any version, in any case, and nothing around it', () => {
    const id = '01890000-0000-7000-8000-00000000000a';
    expect([id, id.toUpperCase(), '00000000-0000-0000-0000-000000000000'].every(isUuid)).toBe(true);
    for (const odd of ['', `${id} `, ` ${id}`, `{${id}}`, id.replaceAll('-', ''), `${id}\n`, `${id}0`]) {
      expect(isUuid(odd), odd).toBe(false);
    }
  });
});

describe('isExternalKey', () => {
  it.each([
    'a',
    '...',
    'a/b',
    'ümlaut',
    '名前',
    '😀'.repeat(255),
    'x'.repeat(255),
    ' a ',
    "o'neil",
    '%00',
    '<b>',
  ])('takes %j', (value) => {
    expect(isExternalKey(value)).toBe(true);
  });

  it.each([
    '',
    ' ',
    '\u00a0',
    '.',
    '..',
    'x'.repeat(256),
    '😀'.repeat(256),
    'a\u0000',
    'a\tb',
    'a\nb',
    'a\u0085b',
    'a\u2028b',
    '\ud800',
    'a\udc00b',
    7,
    null,
    undefined,
    ['a'],
    { length: 1 },
  ])('refuses %j', (value) => {
    expect(isExternalKey(value)).toBe(false);
  });
});

describe('isExternalId', () => {
  it('refuses what is shaped like a Twilio sid, as a path may hold either', () => {
    for (const prefix of ['CH', 'US', 'MB', 'ZZ']) {
      expect(isExternalId(prefix + '0aF'.repeat(10) + '00')).toBe(false);
    }
    expect(isExternalKey(`CH${'0'.repeat(32)}`)).toBe(true);
  });

  it('takes what is nearly shaped so, and a UUID', () => {
    const near = [`CH${'0'.repeat(31)}`, `CH${'0'.repeat(33)}`, `ch${'0'.repeat(32)}`, `CH${'g'.repeat(32)}`];
    for (const value of [...near, '01890000-0000-7000-8000-000000000000']) {
      expect(isExternalId(value), value).toBe(true);
    }
  });
});

describe('IsLine', () => {
  it('counts code points, and refuses the empty line', () => {
    expect(problems({ line: 'abc' })).toEqual([]);
    expect(problems({ line: '😀😀😀' })).toEqual([]);
    for (const line of ['', 'abcd', '😀😀😀😀', 'a\n', '\u0007', '\ud83d', null, 1]) {
      expect(problems({ line }), String(line)).toEqual(['line']);
    }
  });
});

describe('IsMessageBody', () => {
  it('counts bytes of UTF-8, and takes line ends and tabs but no other control characters', () => {
    expect(problems({ message: 'a\r\n\tb' })).toEqual([]);
    expect(problems({ message: 'x'.repeat(32_768) })).toEqual([]);
    expect(problems({ message: 'ü'.repeat(16_384) })).toEqual([]);
    for (const message of [
      '',
      'x'.repeat(32_769),
      `${'ü'.repeat(16_384)}x`,
      'a\u0000',
      'a\u001b',
      '\udfff',
      5,
    ]) {
      expect(problems({ message })).toEqual(['message']);
    }
  });
});

describe('IsAttributes', () => {
  it('counts bytes of the JSON as UTF-8', () => {
    expect(problems({ attributes: JSON_40(40) })).toEqual([]);
    expect(problems({ attributes: JSON_40(41) })).toEqual(['attributes']);
    expect(problems({ attributes: { a: 'ü'.repeat(16) } })).toEqual([]);
    expect(problems({ attributes: { a: 'ü'.repeat(17) } })).toEqual(['attributes']);
  });

  it('takes objects only', () => {
    for (const attributes of [null, [], 'x', 1, true])
      expect(problems({ attributes })).toEqual(['attributes']);
  });

  it('refuses our own key at the top, and there alone', () => {
    expect(problems({ attributes: { ours: 1 } })).toEqual(['attributes']);
    expect(problems({ attributes: { a: { ours: 1 } } })).toEqual([]);
  });

  it.each([{ a: 'x\u0000' }, { 'x\u0000': 1 }, { a: [{ b: '\ud800' }] }, { a: Infinity }, { a: [NaN] }])(
    'refuses what some store could not hold: %j',
    (attributes) => {
      expect(problems({ attributes })).toEqual(['attributes']);
    },
  );

  it('keeps them as they came, whatever their keys are called', () => {
    const attributes = JSON.parse('{"constructor":{},"toString":[]}') as object;
    expect(plainToInstance(Sample, { attributes }).attributes).toBe(attributes);
    expect(problems({ attributes })).toEqual([]);
  });
});

describe('IfGiven', () => {
  it('lets a field be left out, but not be null', () => {
    expect(problems({})).toEqual([]);
    expect(problems({ line: undefined })).toEqual([]);
    expect(problems({ line: null })).toEqual(['line']);
  });
});
