/** Pure parts of the room tables. */
import { describe, expect, it } from 'vitest';
import { chooseNames } from '../../src/tables/expand-names.ts';
import { freeName } from '../../src/tables/plan-create.ts';
import { differingOptions, keyArgs, splitNames, tableAttrs } from '../../src/tables/table-options.ts';
import { familyOf, isComparable } from '../../src/tables/type-family.ts';

const type = (name: string, category = 'U', depth = 0) => ({
  name: name.includes('.') ? name : `pg_catalog.${name}`,
  category,
  depth,
});

describe('chooseNames', () => {
  const candidates = ['public.a', 'public.ab', 'app.a', 'app.x*y', 'app.x1y', 'app.dot.ted'];
  const choose = (words: string[], more: Partial<Parameters<typeof chooseNames>[0]> = {}) =>
    chooseNames({
      words,
      all: false,
      force: false,
      candidates,
      processed: ['public.done', 'app.done'],
      ...more,
    });

  it('takes plain names, patterns and all', () => {
    expect(choose(['a', 'app.a']).names).toEqual(['public.a', 'app.a']);
    expect(choose(['a*']).names).toEqual(['public.a', 'public.ab']);
    expect(choose(['a?']).names).toEqual(['public.ab']);
    expect(choose(['*.a']).names).toEqual(['public.a', 'app.a']);
    expect(choose([], { all: true }).names).toEqual(candidates);
    expect(choose(['a', 'a*', 'public.a']).names).toEqual(['public.a', 'public.ab']);
  });

  it('refuses what has no name', () => {
    for (const word of ['', '.', 'app.', '.a']) expect(() => choose([word])).toThrow(`'${word}' is no name`);
  });

  it('prefers a name that is really spelt with a star, and keeps dots literal', () => {
    expect(choose(['app.x*y']).names).toEqual(['app.x*y']);
    expect(choose(['app.x?y']).names).toEqual(['app.x*y', 'app.x1y']);
    expect(choose(['app.dot.ted']).names).toEqual(['app.dot.ted']);
    expect(choose(['app.dot?te*']).names).toEqual(['app.dot.ted']);
    expect(choose(['appXa*']).names).toEqual([]);
  });

  it('tells processed and unknown ones apart', () => {
    expect(choose(['done', 'nope'])).toEqual({
      names: [],
      processed: ['public.done'],
      unknown: ['public.nope'],
    });
    expect(choose(['nope'], { force: true })).toEqual({
      names: ['public.nope'],
      processed: [],
      unknown: ['public.nope'],
    });
    expect(choose(['*.done'])).toEqual({ names: [], processed: ['public.done', 'app.done'], unknown: [] });
  });
});

describe('isComparable', () => {
  it.each([
    [type('int4', 'N'), type('int8', 'N'), true],
    [type('int8', 'N'), type('numeric', 'N'), true],
    [type('varchar', 'S'), type('text', 'S'), true],
    [type('text', 'S'), type('public.citext', 'S'), true],
    [type('public.mood', 'E'), type('text', 'S'), true],
    [type('public.mood', 'E'), type('other.mood', 'E'), true],
    [type('public.mood', 'E'), type('public.colour', 'E'), false],
    [type('timestamp', 'D'), type('timestamptz', 'D'), true],
    [type('date', 'D'), type('timestamp', 'D'), false],
    [type('json'), type('jsonb'), true],
    [type('int4', 'N'), type('bool', 'B'), false],
    [type('text', 'S'), type('int4', 'N'), false],
    [type('money', 'N'), type('numeric', 'N'), false],
    [type('int4', 'N', 1), type('int8', 'N', 1), true],
    [type('int4', 'N', 1), type('int4', 'N', 0), false],
    [type('int4', 'N', 1), type('text', 'S', 0), true],
    [type('text', 'S', 0), type('text', 'S', 1), false],
  ])('%j → %j: %s', (source, dest, answer) => {
    expect(isComparable(source, dest)).toBe(answer);
  });

  it('names families', () => {
    expect(familyOf(type('int2', 'N', 2))).toBe('number[][]');
  });
});

describe('options', () => {
  const none = {
    skipColumns: [],
    create: 'no' as const,
    truncate: false,
    expectSync: false,
    skipTruncate: false,
    skipNonExisting: false,
    triggerArgs: [],
  };

  it('become attributes', () => {
    expect(tableAttrs(none)).toBeNull();
    expect(tableAttrs({ ...none, where: 'a = 1', skipTruncate: true, maxParallelCopy: 3 })).toBe(
      'where=a+%3D+1&skip_truncate=1&max_parallel_copy=3',
    );
    expect(tableAttrs({ ...none, skipTruncate: true, expectSync: true })).toBeNull();
  });

  it('write keys only where they can be read back', () => {
    expect(keyArgs({ style: 'key', columns: ['a', 'B c'] })).toEqual(['key=a,B c']);
    expect(keyArgs({ style: 'key', columns: ['a,b'] })).toEqual([]);
    expect(keyArgs({ style: 'key', columns: [' a'] })).toEqual([]);
    expect(keyArgs({ style: 'whole_row', columns: [] })).toEqual(['whole_row']);
    expect(splitNames(' a , b c', 'key')).toEqual(['a', 'b c']);
  });

  it('differ only where they were given', () => {
    const table = {
      tableName: 'public.t',
      destName: 'public.t',
      attrs: new Map([['where', 'a = 1']]),
      key: { style: 'key' as const, columns: ['a', 'b'] },
      skipColumns: ['x'],
    };
    expect(differingOptions(table, none)).toEqual([]);
    expect(
      differingOptions(table, {
        ...none,
        where: 'a = 1',
        key: { style: 'key', columns: ['b', 'a'] },
        skipColumns: ['x'],
        destTable: 'public.t',
      }),
    ).toEqual([]);
    expect(
      differingOptions(table, {
        ...none,
        where: 'a = 2',
        key: { style: 'whole_row', columns: [] },
        skipColumns: ['y'],
        destTable: 'public.u',
        skipTruncate: true,
      }),
    ).toEqual(['dest-table', 'where', 'skip-truncate', 'skip-columns', 'whole-row']);
  });
});

describe('freeName', () => {
  it('finds names that are not taken and fit', () => {
    const used = new Set(['s.t_pkey', 's.t_pkey_1', `s.${'ä'.repeat(31)}`]);
    expect(freeName('s', 't_pkey', used)).toBe('t_pkey_2');
    expect(freeName('s', 't_pkey', used)).toBe('t_pkey_3');
    expect(freeName('other', 't_pkey', used)).toBe('t_pkey');
    expect(Buffer.byteLength(freeName('s', 'ä'.repeat(31), used))).toBeLessThanOrEqual(63);
  });
});
