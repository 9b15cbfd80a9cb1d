/** add-table --create and --create-full, from the oldest to the newest PostgreSQL. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPair, type NodePair } from '../support/node-pair.ts';

let pair: NodePair;

beforeAll(async () => {
  pair = await createPair();
});
afterAll(async () => {
  await pair.drop();
});

const ok = async (run: Promise<{ code: number; err: string }>): Promise<string> => {
  const result = await run;
  expect(result.code, result.err).toBe(0);
  return result.err;
};
const refused = async (
  run: Promise<{ code: number; err: string }>,
  code: number,
  text: RegExp,
): Promise<void> => {
  const result = await run;
  expect(result.err).toMatch(text);
  expect(result.code).toBe(code);
};

const columnsOf = async (table: string): Promise<string[]> =>
  (
    await pair.leaf.sql(
      `select concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), case when a.attnotnull then 'not null' end,
              'default ' || pg_get_expr(d.adbin, d.adrelid), 'generated ' || nullif(a.attgenerated::text, ''), 'identity ' || nullif(a.attidentity::text, '')) as line
         from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum`,
      [table],
    )
  ).map((row) => row.line);

const indexesOf = async (table: string): Promise<string[]> =>
  (
    await pair.leaf.sql(
      'select indexrelid::regclass::text as name from pg_index where indrelid = $1::regclass order by 1',
      [table],
    )
  ).map((row) => row.name);

const pendingOf = async (table: string): Promise<string[]> =>
  (await pair.leaf.sql('select pending_ddl from kaja.table_copy where table_name = $1', [table]))[0]
    .pending_ddl;

describe('--create', () => {
  it('makes columns and key; the key is built after the rows', async () => {
    await pair.root.sql(`create schema shop;
      create table shop.item (id int generated always as identity (start with 10 increment by 5), name varchar(10) not null default 'x' collate "C",
        price numeric(8,2), total numeric generated always as (price * 2) stored, n serial, primary key (id) include (name), unique (name));
      insert into shop.item (name, price) select 'n' || n, n from generate_series(1, 50) n`);
    await ok(pair.onRoot('add-table', 'shop.item'));
    await refused(pair.onLeaf('add-table', 'shop.item'), 5, /shop\.item does not exist on this node/);
    expect(await pair.leaf.sql(`select 1 from pg_namespace where nspname = 'shop'`)).toEqual([]);
    expect(await ok(pair.onLeaf('add-table', 'shop.item', '--create'))).toContain('Table shop.item created');
    expect(await columnsOf('shop.item')).toEqual([
      'id integer not null identity a',
      'name character varying(10) not null',
      'price numeric(8,2)',
      'total numeric default (price * (2)::numeric) generated s',
      'n integer not null',
    ]);
    expect(await indexesOf('shop.item')).toEqual([]);
    expect(await pendingOf('shop.item')).toEqual([
      'alter table shop.item add constraint item_pkey PRIMARY KEY (id) INCLUDE (name)',
    ]);
    pair.startWorker();
    await pair.sync();
    await pair.root.sql(`update shop.item set price = 1000 where id = 10`);
    await pair.sync();
    await pair.stopWorker();
    expect(await indexesOf('shop.item')).toEqual(['shop.item_pkey']);
    const rows = await pair.leaf.sql(
      'select count(*)::int as n, sum(total)::int as total, max(id) as id from shop.item',
    );
    expect(rows).toEqual([{ n: 50, total: 50 * 51 - 2 + 2000, id: 255 }]);
    // The identity sequence has the provider's name and goes on where that stands.
    expect(await pair.leaf.sql(`select nextval('shop.item_id_seq')::int as next`)).toEqual([{ next: 260 }]);
  });

  it('leaves an existing table alone and finds free names', async () => {
    await pair.root.sql(
      'create table public.ren (id int primary key, v text); insert into public.ren values (1)',
    );
    await pair.leaf.sql(
      'create table public.ren_pkey (a int); create table public.there (id int primary key, v text)',
    );
    await ok(pair.onRoot('add-table', 'ren'));
    await ok(pair.onLeaf('add-table', 'ren', '--create', '--dest-table', 'ren2'));
    expect(await pendingOf('public.ren')).toEqual([
      'alter table public.ren2 add constraint ren_pkey_1 PRIMARY KEY (id)',
    ]);
    await ok(pair.onLeaf('remove-table', 'ren'));
    expect(await ok(pair.onLeaf('add-table', 'ren', '--create', '--dest-table', 'there'))).toContain(
      'Table public.there already exist, not touching',
    );
    pair.startWorker();
    await pair.sync();
    await pair.stopWorker();
    expect(await pair.leaf.sql('select * from public.there')).toEqual([{ id: 1, v: null }]);
  });

  it('makes a partitioned table a plain one, and builds the key at once without a copy', async () => {
    await pair.root.sql(`create table public.part (id int, at date, primary key (id, at)) partition by range (at);
      create table public.part_1 partition of public.part for values from ('2020-01-01') to ('2021-01-01');
      insert into public.part values (1, '2020-05-05')`);
    await ok(pair.onRoot('add-table', 'part'));
    expect(await ok(pair.onLeaf('add-table', 'part', '--create', '--expect-sync'))).toContain(
      'created as a plain table',
    );
    expect(await indexesOf('public.part')).toEqual(['part_pkey']);
    expect(await pendingOf('public.part')).toEqual([]);
  });
});

describe('--create-full', () => {
  it('makes types, sequences, defaults, checks, indexes and comments', async () => {
    await pair.root.sql(`create schema kinds; create type kinds.mood as enum ('so ''so', 'good');
      create domain kinds.plus as int default 3 not null check (value > 0);
      create table public.full_t (id bigserial primary key, m kinds.mood default 'good', ms kinds.mood[], p kinds.plus, v text, "U" int unique,
        constraint v_short check (length(v) < 100), exclude using btree (p with =) where (p > 1000));
      create index full_v on public.full_t (lower(v)) where v is not null; create unique index full_vu on public.full_t (v, "U");
      comment on table public.full_t is 'it''s'; comment on column public.full_t."U" is 'you';
      insert into public.full_t (v, p) select 'v' || n, n from generate_series(1, 20) n`);
    await ok(pair.onRoot('add-table', 'full_t'));
    await refused(
      pair.onLeaf('add-table', 'full_t', '--create'),
      5,
      /type kinds\.(mood|plus) of table public\.full_t does not exist on this node; --create-full/,
    );
    await ok(pair.onLeaf('add-table', 'full_t', '--create-full'));
    expect(await columnsOf('public.full_t')).toEqual([
      "id bigint not null default nextval('full_t_id_seq'::regclass)",
      "m kinds.mood default 'good'::kinds.mood",
      'ms kinds.mood[]',
      'p kinds.plus',
      'v text',
      'U integer',
    ]);
    expect(
      await pair.leaf.sql(
        `select pg_get_serial_sequence('public.full_t', 'id') as seq, nextval('public.full_t_id_seq')::int as next`,
      ),
    ).toEqual([{ seq: 'public.full_t_id_seq', next: 21 }]);
    expect(
      await pair.leaf.sql(`select obj_description('public.full_t'::regclass) as t, col_description('public.full_t'::regclass, 6) as c,
        (select pg_get_constraintdef(oid) from pg_constraint where conname = 'v_short') as k`),
    ).toEqual([{ t: "it's", c: 'you', k: 'CHECK ((length(v) < 100))' }]);
    expect(await indexesOf('public.full_t')).toEqual([]);
    pair.startWorker();
    await pair.sync();
    await pair.stopWorker();
    expect(await indexesOf('public.full_t')).toEqual([
      '"full_t_U_key"',
      'full_t_p_excl',
      'full_t_pkey',
      'full_v',
      'full_vu',
    ]);
    expect(await pendingOf('public.full_t')).toEqual([]);
    expect(await pair.leaf.sql('select count(*)::int as n, sum(p)::int as s from public.full_t')).toEqual([
      { n: 20, s: 210 },
    ]);
  });

  it('undoes everything when something cannot be created', async () => {
    await pair.root.sql(`create schema fn; create function fn.f(int) returns int language sql immutable as 'select $1';
      create type fn.pair as (a int, b int);
      create table public.half (id int primary key, v int); create index half_f on public.half (fn.f(v));
      create table public.comp (id int primary key, p fn.pair)`);
    await ok(pair.onRoot('add-table', 'half', 'comp'));
    await refused(
      pair.onLeaf('add-table', 'half', '--create-full'),
      5,
      /public\.half cannot be created: .*fn.*create index half_f/,
    );
    await refused(
      pair.onLeaf('add-table', 'comp', '--create-full'),
      5,
      /type fn\.pair of table public\.comp does not exist on this node; create it first/,
    );
    expect(
      await pair.leaf.sql(
        `select to_regclass('public.half') as r, local from londiste.table_info where table_name = 'public.half'`,
      ),
    ).toEqual([{ r: null, local: false }]);
    await ok(pair.onLeaf('add-table', 'half', '--create'));
  });
});
