import { expect, it } from 'vitest';
import { checksumText, sameChecksum } from '../../../src/compare/checksum.ts';
import { expandCompareSql, formatResult } from '../../../src/compare/result-format.ts';

it("formats results as Python's % does", () => {
  expect(formatResult('%(cnt)d rows, checksum=%(chksum)s', { cnt: 3n, chksum: null })).toBe(
    '3 rows, checksum=None',
  );
  expect(formatResult('%(a)5d%% %(b)s', { a: 1 })).toBe('1% %(b)s');
});

it('puts table, columns and filter into an own query, literally', () => {
  expect(expandCompareSql('select _COLS_ from only _TABLE_', 's."t$&"', ['a', '"b$1"'], '(a > 0\n)')).toBe(
    'select (a, "b$1") from only s."t$&" WHERE (a > 0\n)',
  );
});

it('tells checksums apart by more than 64 bits', () => {
  const sum = { rows: 2n, sum: (1n << 64n) + 255n };
  expect(sameChecksum(sum, { ...sum, sum: 255n })).toBe(false);
  expect(checksumText(sum)).toBe('000000000000000100000000000000ff');
  expect(checksumText({ rows: 0n, sum: 0n })).toBeNull();
});
