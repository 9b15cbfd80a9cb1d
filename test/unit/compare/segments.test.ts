import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { KeyRange } from '../../../src/compare/buckets.ts';
import { split, without } from '../../../src/compare/segments.ts';

const width = (list: readonly KeyRange[]): bigint => list.reduce((sum, { lo, hi }) => sum + hi - lo + 1n, 0n);
const inOrder = (list: readonly KeyRange[]): boolean =>
  list.every(({ lo, hi }, n) => lo <= hi && (n === 0 || lo > (list[n - 1]?.hi ?? 0n)));

it('splits keys into whole buckets, every key in one segment', () => {
  const key = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n);
  fc.assert(
    fc.property(
      key,
      key,
      fc.integer({ min: 0, max: 52 }),
      fc.integer({ min: 4, max: 64 }),
      (a, b, shift, count) => {
        const span = a < b ? { lo: a, hi: b } : { lo: b, hi: a };
        const list = split(span, shift, count);
        expect(list.length).toBeLessThanOrEqual(count);
        expect([list[0]?.lo, list.at(-1)?.hi]).toEqual([span.lo, span.hi]);
        expect(inOrder(list) && width(list) === span.hi - span.lo + 1n).toBe(true);
        for (const { hi } of list.slice(0, -1)) expect((hi + 1n) % (1n << BigInt(shift))).toBe(0n);
      },
    ),
  );
});

it('leaves out what is done, and nothing else', () => {
  const cuts = fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { minLength: 2, maxLength: 12 });
  const ranges = cuts.map((list): KeyRange[] => {
    const sorted = list.sort((a, b) => a - b);
    return sorted.flatMap((lo, n) =>
      n % 2 === 0 && sorted[n + 1] !== undefined
        ? { lo: BigInt(lo), hi: BigInt((sorted[n + 1] ?? 0) - 1) }
        : [],
    );
  });
  const keys = (list: readonly KeyRange[]): bigint[] =>
    list.flatMap(({ lo, hi }) => Array.from({ length: Number(hi - lo) + 1 }, (_, n) => lo + BigInt(n)));
  fc.assert(
    fc.property(ranges, ranges, (segments, done) => {
      const over = new Set(keys(done));
      const left = without(segments, done);
      expect(keys(left)).toEqual(keys(segments).filter((key) => !over.has(key)));
      expect(inOrder(left)).toBe(true);
    }),
  );
});
