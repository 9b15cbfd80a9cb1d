/** add-table on a root and a leaf of different PostgreSQL versions. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPair, type NodePair } from '../support/node-pair.ts';

let pair: NodePair;

beforeAll(async () => {
  pair = await createPair();
});
afterAll(async () => {
  await pair.drop();
});

/** Create the same table on both sides. */
async function both(statement: string): Promise<void> {
  await pair.root.sql(statement);
  await pair.leaf.sql(statement);
}

const styleOf = async (table: string): Promise<unknown> =>
  (
    await pair.root.sql('select style, key_attnums::text as key from kaja.capture where table_name = $1', [
      table,
    ])
  )[0];

const mapOf = async (table: string): Promise<string[]> =>
  (
    await pair.leaf.sql(
      `select format('%s %s>%s %s', source_name, source_attnum, coalesce(dest_attnum::text, '-'), coalesce(key_position::text, '-')) as row
         from kaja.column_map where table_name = $1 order by source_attnum`,
      [table],
    )
  ).map((row) => row.row);

const ok = async (run: Promise<{ code: number; err: string; out: string }>): Promise<string> => {
  const result = await run;
  expect(result.code, result.err).toBe(0);
  return result.err;
};

/** Expect a failure that is told in one line. */
const refused = async (
  run: Promise<{ code: number; err: string }>,
  code: number,
  text: string | RegExp,
): Promise<void> => {
  const result = await run;
  expect(result.err).toMatch(text);
  expect(result.code).toBe(code);
};

describe('add-table on the root', () => {
  it('captures by primary key, unique index, chosen columns, whole rows or inserts only', async () => {
    await pair.root.sql(`
      create table public.r_pk (a int, b int, primary key (b, a));
      create table public.r_unique (a int, b int not null unique);
      create table public.r_none (a int not null, b text);
      create table public.r_whole (a int, b text);
      create table public.r_insert (a int, b text)`);
    expect(await ok(pair.onRoot('add-table', 'r_pk', 'public.r_unique'))).toContain(
      'Table added: public.r_pk',
    );
    expect(await ok(pair.onRoot('add-table', 'r_none', '--key', 'a'))).toContain('will not be told apart');
    await ok(pair.onRoot('add-table', 'r_whole', '--whole-row'));
    await ok(pair.onRoot('add-table', 'r_insert', '--insert-only'));
    expect(await styleOf('public.r_pk')).toEqual({ style: 'key', key: '{2,1}' });
    expect(await styleOf('public.r_unique')).toEqual({ style: 'key', key: '{2}' });
    expect(await styleOf('public.r_none')).toEqual({ style: 'key', key: '{1}' });
    expect(await styleOf('public.r_whole')).toEqual({ style: 'whole_row', key: '{}' });
    expect(await styleOf('public.r_insert')).toEqual({ style: 'insert_only', key: '{}' });
    for (const name of ['r_pk', 'r_unique', 'r_none', 'r_whole', 'r_insert'])
      await ok(pair.onRoot('remove-table', name));
    expect(await pair.root.sql('select * from kaja.capture')).toEqual([]);
  });

  it('refuses what cannot work, in one line', async () => {
    await pair.root.sql('create table public.r_bad (a int, b text)');
    await refused(
      pair.onRoot('add-table', 'r_bad'),
      5,
      /Primary key missing on table: public\.r_bad.*--whole-row/,
    );
    await refused(pair.onRoot('add-table', 'r_bad', '--key', 'nope'), 5, /has no column nope/);
    await refused(pair.onRoot('add-table', 'r_bad', '--key', 'a'), 5, /may be null/);
    await refused(
      pair.onRoot('add-table', 'r_bad', '--whole-row', '--where', 'a = 1'),
      5,
      /cannot be used on the root/,
    );
    await refused(pair.onRoot('add-table', 'r_nowhere'), 2, /not available: public\.r_nowhere/);
    await refused(pair.onRoot('add-table', 'r_nowhere', '--force'), 5, /does not exist: public\.r_nowhere/);
  });

  it('says so when a table is there already, and refuses other options', async () => {
    await pair.root.sql('create table public.r_twice (a int primary key, b int not null unique)');
    await ok(pair.onRoot('add-table', 'r_twice'));
    expect(await ok(pair.onRoot('add-table', 'r_twice'))).toContain('public.r_twice already processed');
    await refused(
      pair.onRoot('add-table', 'r_twice', '--key', 'b'),
      5,
      /already added, but with other options: key/,
    );
    expect(await ok(pair.onRoot('add-table', 'r_twice', '--key', 'a'))).toContain('already processed');
    await ok(pair.onRoot('remove-table', 'r_twice'));
  });

  it('adds by pattern and --all, and ends at the first failure', async () => {
    await pair.root.sql(`drop table r_pk, r_unique, r_none, r_whole, r_insert, r_bad, r_twice;
      create schema app; create table app.x1 (id int primary key); create table app.x2 (id int primary key);
      create table app.y (id int primary key); create table app.zz (id int)`);
    await ok(pair.onRoot('add-table', 'app.x?'));
    await refused(
      pair.onRoot('add-table', '--all'),
      5,
      /tables added before the failure stay: app\.y[\s\S]*Primary key missing on table: app\.zz/,
    );
    const rows = await pair.root.sql('select table_name from londiste.table_info where local order by 1');
    expect(rows.map((row) => row.table_name)).toEqual(['app.x1', 'app.x2', 'app.y']);
    await ok(pair.onRoot('remove-table', '--all'));
    expect(await pair.root.sql(`select * from pg_trigger where tgname like '_londiste%'`)).toEqual([]);
    expect(await ok(pair.onRoot('add-table', 'nothing*'))).toContain('what to do ?');
    await pair.root.sql('drop schema app cascade');
  });

  it('lets writers pass while it waits for its lock, and names who holds it', async () => {
    await pair.root.sql('create table public.r_busy (id int primary key)');
    const holder = await pair.root.connect();
    await holder.query('begin; insert into public.r_busy values (1)');
    const pid = (await holder.query('select pg_backend_pid() as pid')).rows[0].pid;
    const adding = pair.onRoot('add-table', 'r_busy');
    const writer = await pair.root.connect();
    await writer.query(`set statement_timeout = '1s'`);
    let waiting = true;
    const done = adding.finally(() => {
      waiting = false;
    });
    // One insert after the other until the command gives up; each fails when it has to wait for a second.
    for (let id = 2; waiting; id++) await writer.query('insert into public.r_busy values ($1)', [id]);
    await done;
    await refused(adding, 5, new RegExp(`no lock on public\\.r_busy within 3 s, held by pid ${pid} \\(`));
    const second = pair.onRoot('add-table', 'r_busy');
    await holder.query('commit');
    await ok(second);
    await ok(pair.onRoot('remove-table', 'r_busy'));
  }, 30_000);
});

describe('add-table on the leaf', () => {
  it('registers the table with its column map and copies it', async () => {
    await pair.root.sql(`create table public.plain (id int primary key, v text, extra int);
      insert into public.plain select n, 'v' || n, n from generate_series(1, 100) n`);
    await pair.leaf.sql(
      'create table public.plain (own int default 5, extra bigint, v varchar, id bigint primary key)',
    );
    await ok(pair.onRoot('add-table', 'plain'));
    const said = await ok(pair.onLeaf('add-table', 'plain'));
    expect(said).toContain('Table public.plain info missing from subscriber, adding');
    expect(said).toContain('Table added: public.plain');
    expect(await mapOf('public.plain')).toEqual(['id 1>4 1', 'v 2>3 -', 'extra 3>2 -']);
    pair.startWorker();
    await pair.sync();
    await pair.root.sql(
      `update public.plain set v = 'new' where id = 7; delete from public.plain where id = 8`,
    );
    await pair.sync();
    await pair.stopWorker();
    const rows = await pair.leaf.sql(
      'select count(*)::int as n, max(v) filter (where id = 7) as v from public.plain where own = 5 and extra = id',
    );
    expect(rows).toEqual([{ n: 99, v: 'new' }]);
    await expect(pair.leaf.sql('delete from public.plain')).rejects.toThrow(/change not allowed/);
  });

  it('says so when the table is there already, and refuses other options', async () => {
    expect(await ok(pair.onLeaf('add-table', 'plain'))).toContain('public.plain already processed');
    await refused(pair.onLeaf('add-table', 'plain', '--where', 'id > 3'), 5, /other options: where/);
    await refused(pair.onLeaf('add-table', 'plain', '--dest-table', 'other'), 5, /other options: dest-table/);
    await refused(
      pair.onLeaf('add-table', 'plain', '--skip-columns', 'v', '--max-parallel-copy', '2'),
      5,
      /max-parallel-copy, skip-columns/,
    );
    await refused(pair.onLeaf('add-table', 'plain', '--whole-row'), 5, /other options: whole-row/);
  });

  it('refuses tables that do not fit and changes nothing then', async () => {
    await both('create table public.fit (id int primary key)');
    await pair.root.sql('alter table public.fit add a int, add "B c" text, add d date');
    await ok(pair.onRoot('add-table', 'fit'));
    await refused(
      pair.onLeaf('add-table', 'fit'),
      5,
      /lacks columns of public\.fit: a, "B c", d; alter table public\.fit add column a integer, add column "B c" text, add column d date/,
    );
    await refused(
      pair.onLeaf('add-table', 'fit', '--skip-columns', 'a,nope'),
      5,
      /no column nope on the provider/,
    );
    await refused(pair.onLeaf('add-table', 'fit', '--skip-columns', 'id'), 5, /belongs to the key/);
    await pair.leaf.sql(
      'alter table public.fit add a bool, add d timestamp, add mine int not null, add mine2 int not null default 3',
    );
    await refused(
      pair.onLeaf('add-table', 'fit', '--skip-columns', 'B c'),
      5,
      /do not go together: a is integer on the provider and boolean here; d is date on the provider and timestamp without time zone here/,
    );
    await pair.leaf.sql('alter table public.fit alter a type numeric using null, alter d type text');
    await refused(
      pair.onLeaf('add-table', 'fit', '--skip-columns', 'B c'),
      5,
      /NOT NULL without a default.*: mine;/,
    );
    await pair.leaf.sql(
      'alter table public.fit alter mine drop not null; insert into public.fit (id, mine2) values (1, 1)',
    );
    await refused(pair.onLeaf('add-table', 'fit', '--skip-columns', 'B c'), 5, /not empty; --truncate/);
    await refused(
      pair.onLeaf('add-table', 'fit', '--key', 'a'),
      5,
      /captured with key \(id\) on the provider/,
    );
    expect(
      await pair.leaf.sql(`select local from londiste.table_info where table_name = 'public.fit'`),
    ).toEqual([{ local: false }]);
    expect(await mapOf('public.fit')).toEqual([]);
    await ok(pair.onLeaf('add-table', 'fit', '--skip-columns', 'B c', '--truncate'));
    expect(await mapOf('public.fit')).toEqual(['id 1>1 1', 'a 2>2 -', 'B c 3>- -', 'd 4>3 -']);
    await ok(pair.onLeaf('remove-table', 'fit'));
    await ok(pair.onLeaf('add-table', 'fit', '--skip-columns', 'B c', '--expect-sync'));
    expect(
      await pair.leaf.sql(`select merge_state as s from londiste.table_info where table_name = 'public.fit'`),
    ).toEqual([{ s: 'ok' }]);
    await ok(pair.onLeaf('remove-table', 'fit'));
  });

  it('wants the table on the provider and here', async () => {
    await pair.root.sql('create table public.only_root (id int primary key)');
    await ok(pair.onRoot('add-table', 'only_root'));
    await refused(
      pair.onLeaf('add-table', 'only_root'),
      5,
      /public\.only_root does not exist on this node.*--create/,
    );
    expect(await ok(pair.onLeaf('add-table', 'only_root', '--skip-non-existing'))).toContain(
      'does not exist on local node, skipping',
    );
    await refused(pair.onLeaf('add-table', 'unknown_one'), 2, /not available: public\.unknown_one/);
    await ok(pair.onRoot('remove-table', 'only_root'));
    expect(await ok(pair.onLeaf('add-table', 'x*'))).toContain(
      'Table public.only_root gone but exists on subscriber, removing',
    );
  });

  it('checks filters where they will run', async () => {
    await both('create table public.flt (id int primary key, region int, note text)');
    await ok(pair.onRoot('add-table', 'flt'));
    const bad: [string, RegExp][] = [
      ['region = ', /filter is not SQL: region = : syntax error/],
      ['nope = 1', /filter is not SQL: nope = 1: column "nope" does not exist/],
      ['id', /filter is not SQL: id: argument of/],
      ['true) or (true', /filter is not SQL: /],
      ['true); drop table public.flt; --', /filter is not SQL: /],
      ['region in (select 1)', /has a sub-select/],
      ['random() < 0.5', /calls random\(\), which is volatile/],
      ['count(*) > 1', /filter is not SQL: .*aggregate/],
      ['$1', /filter is not SQL: \$1: it has parameters/],
    ];
    for (const [condition, text] of bad)
      await refused(pair.onLeaf('add-table', 'flt', '--where', condition), 5, text);
    await refused(
      pair.onLeaf('add-table', 'flt', '--copy-condition', 'nope = 1'),
      5,
      /filter is not SQL: nope = 1/,
    );
    await refused(
      pair.onLeaf('add-table', 'flt', '--skip-columns', 'region', '--where', 'region > 3'),
      5,
      /filter is not SQL/,
    );
    await pair.root.sql(`insert into public.flt select n, n % 3, 'x' from generate_series(1, 9) n`);
    await pair.leaf.sql(`insert into public.flt values (100, 2, 'mine')`);
    await ok(pair.onLeaf('add-table', 'flt', '--where', `region = 1 and note <> '--' -- only ours`));
    pair.startWorker();
    await pair.sync();
    await pair.stopWorker();
    expect((await pair.leaf.sql('select id from public.flt order by id')).map((row) => row.id)).toEqual([
      1, 4, 7, 100,
    ]);
    const [row] = await pair.leaf.sql(
      `select table_attrs from londiste.table_info where table_name = 'public.flt'`,
    );
    expect(row.table_attrs).toBe(
      'where=region+%3d+1+and+note+%3c%3e+%27--%27+--+only+ours'.replace(/%3d|%3c|%3e/g, (x) =>
        x.toUpperCase(),
      ),
    );
  });

  it('takes any name', async () => {
    const names = ['Up Per', 'a.b', `q'u"o`, 'täble ☃', 'select', 'x*y'];
    const columns = ['"Ké y"', '"a,b"', '"sel""ect"'];
    for (const name of names) {
      const quoted = `"we ird"."${name.replaceAll('"', '""')}"`;
      await both(
        `create schema if not exists "we ird"; create table ${quoted} (${columns.map((column) => `${column} int not null`).join(', ')}, v text, primary key (${columns[0]}, ${columns[1]}))`,
      );
      await pair.root.sql(`insert into ${quoted} select n, n, n, 'x' from generate_series(1, 5) n`);
      await ok(pair.onRoot('add-table', `we ird.${name}`));
      await ok(pair.onLeaf('add-table', `we ird.${name}`));
    }
    pair.startWorker();
    await pair.sync();
    for (const name of names)
      await pair.root.sql(`update "we ird"."${name.replaceAll('"', '""')}" set v = 'y' where "a,b" = 3`);
    await pair.sync();
    await pair.stopWorker();
    for (const name of names) {
      const rows = await pair.leaf.sql(
        `select count(*)::int as n, count(*) filter (where v = 'y')::int as y from "we ird"."${name.replaceAll('"', '""')}"`,
      );
      expect(rows, name).toEqual([{ n: 5, y: 1 }]);
    }
    const listed = await pair.onLeaf('tables', '--names-only');
    for (const name of names) expect(listed.out).toContain(`we ird.${name}\n`);
    await ok(pair.onLeaf('remove-table', ...names.map((name) => `we ird.${name}`)));
  });
});
