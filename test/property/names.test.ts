/** Quoting agrees with the server's own functions. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatFqName, parseFqName, quoteFqName, quoteIdent, quoteLiteral } from '../../src/db/names.ts';
import { createDatabase, serverCount, type TestDatabase } from '../support/database.ts';

const word = fc
  .oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }),
    fc.string({
      unit: fc.constantFrom('a', 'Z', '_', '1', '"', "'", '\\', '.', ' ', 'é', '$', '\n'),
      minLength: 1,
      maxLength: 12,
    }),
  )
  .filter((text) => !text.includes('\0'));

describe.each(serverCount() > 1 ? [0, -1] : [0])('quoting on server %i', (server) => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await createDatabase({ server, install: false });
  });
  afterAll(() => db.drop());

  it('quotes identifiers and literals as the server does', async () => {
    const words = fc.sample(word, 2000);
    const rows = await db.sql(
      'select w, quote_ident(w) as ident, quote_literal(w) as literal from unnest($1::text[]) as w',
      [words],
    );
    expect(rows).toHaveLength(words.length);
    for (const row of rows) {
      expect(quoteIdent(row.w)).toBe(row.ident);
      expect(quoteLiteral(row.w)).toBe(row.literal);
    }
  });

  it('quotes every keyword the server quotes', async () => {
    const rows = await db.sql('select word, quote_ident(word) as ident, catcode from pg_get_keywords()');
    for (const row of rows) {
      // A keyword of a newer major is quoted on older ones too.
      if (row.ident.startsWith('"')) expect(quoteIdent(row.word)).toBe(row.ident);
    }
    const [{ version }] = await db.sql(`select current_setting('server_version_num')::int as version`);
    if (version >= 180000) for (const row of rows) expect(quoteIdent(row.word)).toBe(row.ident);
  });

  it('round-trips literals through a statement', async () => {
    await fc.assert(
      fc.asyncProperty(word, async (text) => {
        expect((await db.sql(`select ${quoteLiteral(text)} as back`))[0].back).toBe(text);
      }),
      { numRuns: 100 },
    );
  });
});

describe('names in two parts', () => {
  it('splits at the first dot and defaults to public', () => {
    expect(parseFqName('a.b.c')).toEqual({ schema: 'a', name: 'b.c' });
    expect(parseFqName('Plain Name')).toEqual({ schema: 'public', name: 'Plain Name' });
    expect(quoteFqName('my schema.order')).toBe('"my schema"."order"');
    expect(quoteFqName({ schema: 'a.b', name: 'c' })).toBe('"a.b".c');
  });

  it('formats what it parsed', () => {
    fc.assert(
      fc.property(word, word, (schema, name) => {
        fc.pre(!schema.includes('.'));
        expect(parseFqName(formatFqName({ schema, name }))).toEqual({ schema, name });
      }),
    );
  });
});
