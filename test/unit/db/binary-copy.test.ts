/** Rows of a binary COPY, wherever the stream is cut; equal values of shared columns are one Buffer. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BinaryRow, BinaryRowParser } from '../../../src/db/binary-copy.ts';

type Field = string | null;

/** What the server sends for rows. */
function stream(rows: readonly (readonly Field[])[]): Buffer {
  const int16 = (n: number): Buffer => {
    const bytes = Buffer.alloc(2);
    bytes.writeInt16BE(n);
    return bytes;
  };
  const int32 = (n: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(n);
    return bytes;
  };
  const field = (one: Field): Buffer[] =>
    one === null ? [int32(-1)] : [int32(Buffer.byteLength(one)), Buffer.from(one)];
  return Buffer.concat([
    Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'),
    int32(0),
    int32(0),
    ...rows.flatMap((row) => [int16(row.length), ...row.flatMap(field)]),
    int16(-1),
  ]);
}

function parse(parser: BinaryRowParser, bytes: Buffer, pieceBytes: number): BinaryRow[] {
  const rows: BinaryRow[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes)
    rows.push(...parser.push(bytes.subarray(at, at + pieceBytes)));
  return rows;
}

const texts = (rows: readonly BinaryRow[]): Field[][] =>
  rows.map((row) => row.map((field) => field?.toString() ?? null));

describe('rows of a binary COPY', () => {
  it('are what was sent, wherever the stream is cut and whatever is shared', () => {
    const field = fc.option(fc.oneof(fc.string(), fc.constantFrom('', 'I/1234', 'U/1234', 'ä')), {
      nil: null,
    });
    fc.assert(
      fc.property(
        fc.array(fc.array(field, { minLength: 3, maxLength: 3 }), { maxLength: 100 }),
        fc.integer({ min: 1, max: 200 }),
        fc.subarray([0, 1, 2]),
        (rows, pieceBytes, shared) => {
          expect(texts(parse(new BinaryRowParser(shared), stream(rows), pieceBytes))).toEqual(rows);
        },
      ),
    );
  });

  it('share the Buffers of shared columns only', () => {
    const sent = stream([
      ['I/1', 'same'],
      ['U/1', 'same'],
      ['I/1', 'same'],
    ]);
    const [first, second, third] = parse(new BinaryRowParser([0]), sent, sent.length);
    expect(third?.[0]).toBe(first?.[0]);
    expect(second?.[0]).not.toBe(first?.[0]);
    expect(third?.[1]).not.toBe(first?.[1]);
  });
});
