/** repair: exactly the differing rows become what they are on the provider. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ComparePair, comparePair } from '../support/compare-fixture.ts';
import { eventually } from '../support/eventually.ts';

let db: ComparePair;

beforeAll(async () => {
  db = await comparePair();
});
afterAll(async () => {
  await db?.drop();
});

const COLUMNS =
  'id int, part text, t text, c char(5), n numeric, f float8, at timestamptz, j json, a int[], by bytea, own_sum int generated always as (length(t)) stored, primary key (id, part)';
const ROWS = `select g, 'p' || g % 3, 'it''s \\ "' || g, 'ab', g / 7.0, g / 7.0::float8, '2026-01-01 12:00+00'::timestamptz + g * interval '1 us', '{"a":  1}'::json, array[1, null, g], '\\x00ff'::bytea from generate_series(1, 2000) g`;

/** A table with every kind of difference; true values stand on the root. */
async function differing(name: string, logical = name): Promise<void> {
  const { root, leaf, pair } = db;
  await root.sql(
    `create table ${name} (${COLUMNS}); insert into ${name} (id, part, t, c, n, f, at, j, a, by) ${ROWS}`,
  );
  await leaf.sql(`create table ${name} (${COLUMNS}, local_note text default 'mine')`);
  await pair.addTable(logical);
  await pair.settled();
  await db.tamper(`update ${name} set local_note = 'kept' where id <= 10;
    update ${name} set t = null, c = 'zz' where id = 5; update ${name} set j = '{}' , n = n + 0.1 where id = 6;
    delete from ${name} where id in (7, 8, 2000); insert into ${name} (id, part, t) values (-1, 'x''y\\', null), (-2, '', 'extra')`);
}

const versions = async (name: string): Promise<Record<string, string>> =>
  Object.fromEntries(
    (await db.leaf.sql(`select id, xmin::text as v from ${name}`)).map((row) => [row.id, row.v]),
  );

describe('--apply', () => {
  it('changes the differing rows and no other', async () => {
    await differing('fixed');
    const before = await versions('fixed');
    const { code, err } = await db.kaja('repair', '--apply', '--delete-extra', 'fixed');
    expect({ code, err }).toMatchObject({ code: 0 });
    expect(err).toContain(
      'finished public.fixed: src: 2000 rows, dst: 1999 rows, missed: 3 inserts, 2 updates, 2 deletes',
    );
    expect((await db.kaja('compare', 'fixed')).code).toBe(0);
    const after = await versions('fixed');
    const touched = Object.keys({ ...before, ...after }).filter((id) => before[id] !== after[id]);
    expect(touched.map(Number).sort((a, b) => a - b)).toEqual([-2, -1, 5, 6, 7, 8, 2000]);
    expect(await db.leaf.sql('select local_note, t from fixed where id in (5, 7) order by id')).toEqual([
      { local_note: 'kept', t: `it's \\ "5` },
      { local_note: 'mine', t: `it's \\ "7` },
    ]);
    const again = await db.kaja('repair', '--apply', '--delete-extra', 'fixed');
    expect(again.code).toBe(0);
    expect(again.err).toContain('missed: 0 inserts, 0 updates, 0 deletes');
    expect(await db.leaf.sql('select * from kaja.hold')).toEqual([]);
  });

  it('never overwrites what is replicated meanwhile', async () => {
    await db.root.sql(
      'create table moving (id int primary key, n int); insert into moving select g, 0 from generate_series(1, 500) g',
    );
    await db.leaf.sql('create table moving (id int primary key, n int)');
    await db.pair.addTable('moving');
    await db.pair.settled();
    await db.tamper('update moving set n = -1 where id % 5 = 0; delete from moving where id % 7 = 0');
    const writer = await db.root.connect();
    let writing = true;
    const load = (async () => {
      for (let n = 0; writing; n++)
        await writer.query('update moving set n = n + 1 where id % 10 = $1', [n % 10]);
    })();
    const { code, err } = await db.kaja('repair', '--apply', 'moving').finally(() => {
      writing = false;
    });
    await load;
    expect({ code, err }).toMatchObject({ code: 0 });
    await db.pair.settled();
    await db.pair.expectEqual('moving');
  });

  it('repairs rows that exchange unique values, and identity columns', async () => {
    const columns =
      'id int generated always as identity primary key, u int unique, other int generated always as (u * 2) stored';
    await db.root.sql(`create table uniq (${columns}); insert into uniq (u) values (1), (2), (3)`);
    await db.leaf.sql(`create table uniq (${columns})`);
    await db.pair.addTable('uniq');
    await db.pair.settled();
    await db.tamper(
      'update uniq set u = 9 where id = 1; update uniq set u = 1 where id = 2; update uniq set u = 2 where id = 1; delete from uniq where id = 3',
    );
    const { code, err } = await db.kaja('repair', '--apply', 'uniq');
    expect({ code, err }).toMatchObject({ code: 0 });
    expect(err).toContain('missed: 1 inserts, 2 updates, 0 deletes');
    await db.pair.expectEqual('uniq');
  });

  it('repairs a table without key as a multiset', async () => {
    await db.root.sql(
      `create table bag (a text, b int); insert into bag values ('x', 1), ('x', 1), ('y', null), (null, null)`,
    );
    await db.leaf.sql('create table bag (b int, a text)');
    await db.pair.addTable('bag', { style: 'whole_row' });
    await db.pair.settled();
    await db.tamper(
      `delete from bag where ctid = (select min(ctid) from bag where a = 'x'); insert into bag values (null, 'y'), (7, 'z')`,
    );
    const { code, err } = await db.kaja('repair', '--apply', '--delete-extra', 'bag');
    expect({ code, err }).toMatchObject({ code: 0 });
    expect(err).toContain('missed: 1 inserts, 0 updates, 2 deletes');
    expect(await db.leaf.sql('select a, b from bag order by a, b')).toEqual(
      await db.root.sql('select a, b from bag order by a, b'),
    );
  });

  it('keeps to --repair-where, also when only one side matches', async () => {
    await db.root.sql(
      `create table cond (id int primary key, v text); insert into cond values (1, 'a'), (2, 'b'), (3, 'c')`,
    );
    await db.leaf.sql('create table cond (id int primary key, v text)');
    await db.pair.addTable('cond');
    await db.pair.settled();
    await db.tamper(`update cond set v = 'bad' where id in (1, 2)`);
    const { err } = await db.kaja('repair', '--apply', 'cond', '--repair-where', `v = 'a'`);
    expect(err).toContain('missed: 0 inserts, 1 updates, 0 deletes');
    expect(await db.leaf.sql('select v from cond order by id')).toEqual([
      { v: 'a' },
      { v: 'bad' },
      { v: 'c' },
    ]);
    const second = await db.kaja('repair', '--apply', 'cond', '--repair-where', `v = 'bad'`);
    expect(second.err).toContain('missed: 0 inserts, 1 updates, 0 deletes');
    await db.pair.expectEqual('cond');
  });

  it('says so when a row cannot become what it is on the provider', async () => {
    await db.root.sql(
      `create table narrow (id int primary key, n numeric); insert into narrow values (1, 1.005)`,
    );
    await db.leaf.sql('create table narrow (id int primary key, n numeric(10, 2))');
    await db.pair.addTable('narrow');
    await db.pair.settled();
    const { code, err } = await db.kaja('repair', '--apply', 'narrow');
    expect(code).toBe(1);
    expect(err).toContain('public.narrow: 1 rows still differ');
  });
});

describe('without the right to switch foreign keys off', () => {
  it('deletes before it inserts, in the order of the keys', async () => {
    const marker = await comparePair({ applyRole: 'marker' }, ['apply_role = marker']);
    try {
      const { root, leaf, pair } = marker;
      const ddl = `create table parent (id int primary key, v text); create table child (id int primary key, p int references parent)`;
      await root.sql(
        `${ddl}; insert into parent values (1, 'a'), (2, 'b'); insert into child values (1, 1), (2, 2)`,
      );
      await leaf.sql(ddl);
      await pair.addTable('child');
      await pair.addTable('parent');
      await pair.settled();
      // The copy took it away until both tables were there.
      const keys = `select from pg_constraint where conrelid = 'child'::regclass and contype = 'f'`;
      await eventually(async () => (await leaf.sql(keys)).length === 1);
      await marker.tamper(`delete from child where id = 2; delete from parent where id = 2;
        insert into parent values (3, 'x'); insert into child values (3, 3); update child set p = 3 where id = 1`);
      const { code, err } = await marker.kaja('repair', '--apply', '--delete-extra');
      expect({ code, err }).toMatchObject({ code: 0 });
      await pair.expectEqual('parent');
      await pair.expectEqual('child');
    } finally {
      await marker.drop();
    }
  });
});

describe('keys that no index serves', () => {
  it('are found by their text: types of extensions, domains, nullable columns', async () => {
    const ddl = `create domain code as text check (value <> ''); create type pair as (a int, b text);
      create table odd (k pair not null, d code, n int)`;
    await db.root.sql(
      `${ddl}; insert into odd values ((1, 'x y'), 'a', 1), ((1, null), 'b', 2), ((2, '"'), null, 3)`,
    );
    await db.leaf.sql(ddl);
    await db.pair.addTable('odd', { key: ['k', 'd'] });
    await db.pair.settled();
    await db.tamper(`update odd set n = 0; insert into odd values ((9, ''), null, 9)`);
    const { code, err } = await db.kaja('repair', '--apply', '--delete-extra', 'odd');
    expect({ code, err }).toMatchObject({ code: 0 });
    expect(err).toContain('missed: 0 inserts, 3 updates, 1 deletes');
    await db.pair.expectEqual('odd');
  });
});

describe('a repair that dies', () => {
  it('leaves everything as it was', async () => {
    await db.tamper('update moving set n = -1 where id = 3');
    const main = join(import.meta.dirname, '../../src/main.ts');
    const child = spawn(
      process.execPath,
      ['--import', import.meta.resolve('tsx'), main, db.ini, 'repair', '--apply', 'moving'],
      {
        env: { ...process.env, KAJA_FAILPOINT: 'repair-applied' },
        stdio: 'ignore',
      },
    );
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
    expect(await db.leaf.sql('select n from moving where id = 3')).toEqual([{ n: -1 }]);
    await db.leaf.sql('delete from kaja.hold');
    expect((await db.kaja('repair', '--apply', 'moving')).code).toBe(0);
    await db.pair.expectEqual('moving');
  });
});

describe('without --apply', () => {
  it('writes statements that do the same when run by hand', async () => {
    await differing('"by/hand"', 'by/hand');
    const name = 'public.by/hand';
    const { code, err } = await db.kaja('repair', name);
    expect({ code, err }).toMatchObject({ code: 1 });
    expect(err).toContain('missed: 3 inserts, 2 updates, 2 deletes');
    const path = join(db.dir, 'fix.public.by_hand.sql');
    const sql = readFileSync(path, 'utf8');
    expect(sql.split('\n').filter((line) => /^(insert|update|delete)/.test(line))).toHaveLength(7);
    expect(sql).toContain(
      `update only public."by/hand" set t = E'it''s \\\\ "5', c = 'ab   ' where id = '5' and part = 'p2' and t is null and c = 'zz   ';`,
    );
    expect((await db.kaja('compare', name)).code).toBe(1);
    await db.tamper(sql.replace(/^set .*$/m, ''));
    expect((await db.kaja('compare', name)).code).toBe(0);
    expect((await db.kaja('repair', name)).code).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  it('names exactly one of several equal rows of a table without key', async () => {
    await db.tamper(`insert into bag values (1, 'x'), (null, null)`);
    expect((await db.kaja('repair', 'bag')).code).toBe(1);
    await db.tamper(readFileSync(join(db.dir, 'fix.public.bag.sql'), 'utf8').replace(/^set .*$/m, ''));
    expect((await db.kaja('compare', 'bag')).code).toBe(0);
  });
});
