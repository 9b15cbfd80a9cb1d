/** Options of add-table seen from the rows that arrive. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPair, type NodePair } from '../support/node-pair.ts';

let pair: NodePair;

beforeAll(async () => {
  pair = await createPair({ leafLines: ['register_skip_tables = public.hidden'] });
});
afterAll(async () => {
  await pair.drop();
});

const ok = async (run: Promise<{ code: number; err: string }>): Promise<string> => {
  const result = await run;
  expect(result.code, result.err).toBe(0);
  return result.err;
};

async function both(statement: string): Promise<void> {
  await pair.root.sql(statement);
  await pair.leaf.sql(statement);
}

const idsHere = async (table: string): Promise<number[]> =>
  (await pair.leaf.sql(`select id from ${table} order by id`)).map((row) => row.id);

it('replicates tables without a primary key', async () => {
  await both(`create table public.whole (id int, v text); create table public.log (id int, v text);
    create table public.uniq (id int not null unique, v text); create table public.chosen (id int not null, v text)`);
  await pair.root.sql(`insert into public.whole values (1, null), (1, null), (2, 'b'); insert into public.log values (1), (2);
    insert into public.uniq values (1), (2); insert into public.chosen values (1), (2)`);
  await ok(pair.onRoot('add-table', 'whole', '--whole-row'));
  await ok(pair.onRoot('add-table', 'log', '--insert-only'));
  await ok(pair.onRoot('add-table', 'uniq'));
  await ok(pair.onRoot('add-table', 'chosen', '--key', 'id'));
  const said = await ok(pair.onLeaf('add-table', 'whole', 'log', 'uniq', 'chosen'));
  expect(said).toContain(
    'table public.chosen has no unique index on (id): every change will look through the whole table',
  );
  expect(said.match(/has no unique index/g)).toHaveLength(1);
  pair.startWorker();
  await pair.sync();
  await pair.root.sql(`delete from public.whole where ctid = (select min(ctid) from public.whole where id = 1); update public.whole set id = 3 where id = 2;
    insert into public.log values (3); delete from public.log where id = 1;
    update public.uniq set v = 'u' where id = 1; delete from public.chosen where id = 1`);
  await pair.sync();
  await pair.stopWorker();
  expect(await idsHere('public.whole')).toEqual([1, 3]);
  expect(await idsHere('public.log')).toEqual([1, 2, 3]);
  expect(await pair.leaf.sql(`select id, v from public.uniq order by id`)).toEqual([
    { id: 1, v: 'u' },
    { id: 2, v: null },
  ]);
  expect(await idsHere('public.chosen')).toEqual([2]);
  const styles = await pair.leaf.sql(`select table_name, style from kaja.table_copy order by 1`);
  expect(styles.map((row) => `${row.table_name} ${row.style}`)).toEqual([
    'public.chosen key',
    'public.log insert_only',
    'public.uniq key',
    'public.whole whole_row',
  ]);
});

it('renames, conditions the copy, keeps rows, and leaves columns out', async () => {
  await pair.root.sql(
    `create table public.src (id int primary key, v text, secret text); insert into public.src select n, 'v', 'x' from generate_series(1, 4) n`,
  );
  await pair.leaf.sql(
    `create schema other; create table other."Dest" (v text, id int primary key); insert into other."Dest" values ('own', 100)`,
  );
  await ok(pair.onRoot('add-table', 'src'));
  await ok(
    pair.onLeaf(
      'add-table',
      'src',
      '--dest-table',
      'other.Dest',
      '--copy-condition',
      'id > 2',
      '--skip-truncate',
      '--skip-columns',
      'secret',
      '--max-parallel-copy',
      '3',
    ),
  );
  pair.startWorker();
  await pair.sync();
  await pair.root.sql(
    `insert into public.src values (5, 'new', 'y'); update public.src set v = 'up', secret = 'z' where id = 1`,
  );
  await pair.sync();
  await pair.stopWorker();
  expect(await pair.leaf.sql('select id, v from other."Dest" order by id')).toEqual([
    { id: 1, v: 'up' },
    { id: 3, v: 'v' },
    { id: 4, v: 'v' },
    { id: 5, v: 'new' },
    { id: 100, v: 'own' },
  ]);
  await ok(pair.onLeaf('remove-table', 'src'));
  expect(
    await pair.leaf.sql(
      `select 1 from pg_trigger where tgname like '_londiste%' and tgrelid = 'other."Dest"'::regclass`,
    ),
  ).toEqual([]);
});

it('creates no triggers when told so, and hides tables the ini leaves out', async () => {
  await both(
    'create table public.open (id int primary key); create table public.hidden (id int primary key)',
  );
  await ok(pair.onRoot('add-table', 'open', 'hidden'));
  expect(await ok(pair.onLeaf('add-table', '--all', '--no-triggers', '--skip-non-existing'))).toContain(
    'Table added with no triggers: public.open',
  );
  await pair.leaf.sql('insert into public.open values (1)');
  expect(await pair.leaf.sql(`select 1 from londiste.table_info where table_name = 'public.hidden'`)).toEqual(
    [],
  );
});

it('registers nothing while a lock is held, and all of it afterwards', async () => {
  await both('create table public.held (id int primary key)');
  await ok(pair.onRoot('add-table', 'held'));
  const holder = await pair.leaf.connect();
  await holder.query('begin; insert into public.held values (1); delete from public.held');
  const result = await pair.onLeaf('add-table', 'held');
  expect(result.code).toBe(5);
  expect(result.err).toMatch(/no lock on public\.held within 3 s, held by pid \d+ \(/);
  expect(await pair.leaf.sql(`select 1 from kaja.column_map where table_name = 'public.held'`)).toEqual([]);
  await holder.query('rollback');
  await ok(pair.onLeaf('add-table', 'held'));
  expect(
    await pair.leaf.sql(`select local from londiste.table_info where table_name = 'public.held'`),
  ).toEqual([{ local: true }]);
});
