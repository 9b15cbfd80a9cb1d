/** The ret_code protocol and Kysely over a session. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kyselyOver } from '../../src/db/kysely.ts';
import { callRet } from '../../src/db/ret-code.ts';
import { openSession, type Session } from '../../src/db/session.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';

let db: TestDatabase;
let session: Session;
beforeAll(async () => {
  db = await createDatabase({ install: true });
  session = await openSession(db.url, { purpose: 'admin' });
  await db.sql(`
    create table public.done (what text);
    create function public."Answer"(i_codes int4[], out ret_code int4, out ret_note text, out extra text) returns setof record
    language plpgsql as $$
    begin
      insert into public.done values ('side effect');
      for ret_code in select c from unnest(i_codes) c loop
        ret_note := 'note ' || ret_code; extra := 'x'; return next;
      end loop;
    end $$;
    create function public.picky(i_name text, out ret_code int4, out ret_note text) strict language sql as $$ select 200, i_name $$`);
});
afterAll(async () => {
  await session.close();
  await db.drop();
});

describe('callRet', () => {
  it('returns all rows and logs by class', async () => {
    const lines: string[] = [];
    const log = {
      debug: (text: string) => lines.push(`debug ${text}`),
      info: (text: string) => lines.push(`info ${text}`),
      warn: (text: string) => lines.push(`warn ${text}`),
    };
    const rows = await callRet<{ extra: string }>(session, 'public.Answer', [[100, 200, 201, 301]], log);
    expect(rows.map((row) => [row.ret_code, row.extra])).toEqual([
      [100, 'x'],
      [200, 'x'],
      [201, 'x'],
      [301, 'x'],
    ]);
    expect(lines).toEqual(['debug note 100', 'info note 200', 'info note 201', 'warn note 301']);
    expect(await session.value('select pg_catalog.count(*) from public.done')).toBe(1n);
  });

  it('throws from 400 on and undoes what the function did', async () => {
    await session.query('truncate public.done');
    await expect(callRet(session, 'public.Answer', [[200, 404]])).rejects.toMatchObject({
      code: 'ret-code',
      exitCode: 5,
      context: { retCode: 404, function: 'public.Answer' },
      message: expect.stringContaining('note 404'),
    });
    expect(await session.value('select pg_catalog.count(*) from public.done')).toBe(0n);
  });

  it('works inside a transaction of the caller', async () => {
    await session.transaction(() => callRet(session, 'public.Answer', [[200]]));
    expect(await session.value('select pg_catalog.count(*) from public.done')).toBe(1n);
  });

  it('does not take the silence of a strict function for success', async () => {
    await expect(callRet(session, 'public.picky', [null])).rejects.toMatchObject({ code: 'ret-code' });
  });
});

describe('kyselyOver', () => {
  it('reads and writes tables by qualified name, inside the session transaction', async () => {
    const kysely = kyselyOver(session);
    await expect(
      session.transaction(async () => {
        await kysely.insertInto('kaja.shape').values({ shape_id: 'feedbeef', columns: '{"id":1}' }).execute();
        expect(await kysely.selectFrom('kaja.shape').selectAll().execute()).toEqual([
          { shape_id: 'feedbeef', columns: '{"id":1}' },
        ]);
        throw new Error('undo');
      }),
    ).rejects.toThrow('undo');
    expect(await kysely.selectFrom('kaja.shape').selectAll().execute()).toEqual([]);
    await expect(kysely.transaction().execute(async () => {})).rejects.toThrow('session.transaction');
  });

  it('declares the columns that the tables have', async () => {
    const { readFileSync } = await import('node:fs');
    const source = readFileSync(new URL('../../src/db/schema.ts', import.meta.url), 'utf8');
    const interfaces = new Map(
      [...source.matchAll(/export interface (\w+Table) \{([^}]*)\}/g)].map((match) => [match[1], match[2]]),
    );
    const tables = [...source.matchAll(/^ {2}'([a-z_.]+)': (\w+);/gm)];
    expect(tables.length).toBeGreaterThan(15);
    for (const [, table, type] of tables) {
      const declared = [...(interfaces.get(type ?? '') ?? '').matchAll(/^ {2}(\w+):/gm)].map(
        (match) => match[1],
      );
      const real = await db.sql(
        'select attname::text as name from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum',
        [table],
      );
      expect([table, ...declared.sort()]).toEqual([table, ...real.map((row) => row.name).sort()]);
    }
  });
});
