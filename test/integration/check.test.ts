/** `check`: definitions of both sides, PostgreSQL 14 against 18; the statements it gives end every difference. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPair, type NodePair } from '../support/node-pair.ts';

interface Found {
  severity: string;
  kind: string;
  table_name: string | null;
  object: string;
  what: string;
  ddl: { on: string; sql: string; optional: boolean }[];
}

let pair: NodePair;
const SCHEMA = `
  create type mood as enum ('sad', 'ok', 'happy');
  create domain positive as int check (value > 0);
  create table customer (id int generated always as identity primary key, mail text collate "C" not null, city varchar(40) default 'Bonn',
    mood mood default 'ok', born date, n positive, constraint known check (city in ('Bonn', 'Ulm') or born is null), unique (mail));
  create table item (id bigserial primary key, code varchar(10) not null, price numeric(10, 2) default 1.50,
    gross numeric generated always as (price * 1.19) stored, tags text[] default '{}', made timestamptz not null default now(),
    constraint priced check (price >= 0 and code like any (array['a%', 'b%'])));
  create unique index item_code on item (lower(code)) where price > 0;
  create index item_made on item using brin (made);
  create table line (customer_id int references customer on delete cascade, item_id bigint, n int, primary key (customer_id, item_id),
    constraint line_item foreign key (item_id) references item deferrable initially deferred, exclude using gist (box(point(n, n), point(n, n)) with &&));
  create table part (id int, at date, v text, primary key (id, at)) partition by range (at);
  create table part_1 partition of part for values from ('2026-01-01') to ('2027-01-01');
  create sequence ticket increment by 5`;

beforeAll(async () => {
  pair = await createPair();
  for (const db of [pair.root, pair.leaf]) await db.sql(SCHEMA);
  const tables = ['customer', 'item', 'line', 'part'];
  expect((await pair.onRoot('add-table', ...tables)).code).toBe(0);
  expect((await pair.onRoot('add-seq', 'ticket')).code).toBe(0);
  await pair.tick();
  pair.startWorker();
  await pair.sync();
  expect((await pair.onLeaf('add-table', ...tables)).err).not.toContain('ERROR');
  expect((await pair.onLeaf('add-seq', 'ticket')).code).toBe(0);
  await pair.sync();
}, 60_000);
afterAll(() => pair.drop());

async function check(...words: string[]): Promise<{ code: number; found: Found[] }> {
  const { code, out, err } = await pair.onLeaf('check', '--json', ...words);
  expect(err).not.toContain('ERROR');
  return { code, found: JSON.parse(out).differences };
}

/** Run the script of `check` on the leaf. */
async function mend(...words: string[]): Promise<void> {
  const file = `${pair.leafIni}.sql`;
  await pair.onLeaf('check', '--ddl', file, ...words);
  await pair.leaf.sql(readFileSync(file, 'utf8'));
}

const brief = (found: readonly Found[]): string[] =>
  found.map((one) => `${one.severity} ${one.kind} ${one.object}`).sort();

describe('check', () => {
  it('finds nothing between 14 and 18 where the definitions are the same', async () => {
    const { code, out, err } = await pair.onLeaf('check');
    expect([code, out.trim(), err]).toEqual([0, 'leaf: 4 tables and 1 sequence as on root', '']);
    expect((await pair.onRoot('check')).out.trim()).toBe('root: 4 tables, triggers are in place');
  });

  it('finds nothing where the leaf was made from a dump, whose expressions are spelled otherwise', async () => {
    await pair.leaf.sql(`alter table customer drop constraint known;
      alter table customer add constraint other_name check (((city)::text = any (array[('Bonn'::varchar)::text, ('Ulm'::varchar)::text])) or (born is null))`);
    expect(await check('customer')).toEqual({ code: 0, found: [] });
  });

  it('names what differs, and its statements end it', async () => {
    await pair.root.sql(
      `insert into customer (mail, born) values ('a@b', '2000-01-01'); insert into item (code, price) values ('a1', 10), ('a2', 20)`,
    );
    await pair.sync();
    await pair.root.sql(`alter table customer add column note text not null default 'x', add column level mood, add column serial_no serial;
      alter type mood add value 'glad' after 'ok'; alter type mood add value 'awful' before 'sad';
      alter table customer alter column born set not null;
      alter table item add constraint cheap check (price < 1000000);
      select setval('ticket', 500);
      create index item_price on item (price desc) include (code)`);
    await pair.leaf.sql(`alter table customer alter column city type varchar(20), alter column city set default 'Ulm', alter column city set not null,
        alter column mail type text collate "POSIX", drop constraint customer_mail_key;
      alter table customer alter column id drop identity;
      alter table item alter column id drop default, drop column gross; alter table item add column gross numeric generated always as (price * 1.07) stored, add column own int default 7;
      alter table item drop constraint priced, add constraint priced check (price > 5); create unique index item_n on item (price); create index item_tags on item using gin (tags);
      alter table line drop constraint line_item, drop constraint line_pkey, drop constraint line_box_excl;
      alter table line add constraint line_new foreign key (customer_id) references customer on delete set null, add column must int not null;
      alter table part drop constraint part_pkey; alter sequence ticket increment by 2; select setval('ticket', 7)`);
    const { code, found } = await check();
    expect(code).toBe(1);
    expect(brief(found)).toEqual([
      'error column city',
      'error column city',
      'error column gross',
      'error column level',
      'error column must',
      'error column note',
      'error column serial_no',
      'error constraint priced',
      'error key item_n',
      'error type public.mood',
      'note column born',
      'note column city',
      'note column id',
      'note column id',
      'note column mail',
      'note column own',
      'note constraint cheap',
      'note constraint priced',
      'note foreign key line_item',
      'note foreign key line_new',
      'note index item_price',
      'note index item_tags',
      'note key customer_mail_key',
      'note key line_box_excl',
      'note sequence public.item_id_seq',
      'note sequence public.ticket',
      'note trigger public.customer',
      'warning key line_pkey',
      'warning key part_pkey',
      'warning sequence public.ticket',
    ]);
    const without = await check('--no-notes');
    expect(without.found.every((one) => one.severity !== 'note')).toBe(true);

    // Nothing is taken away that only the leaf has, unless that was asked for.
    await pair.root.sql(`select kaja.refresh_captures('pair_q')`);
    await mend();
    expect(brief((await check()).found)).toEqual(
      ['note column own', 'note foreign key line_new', 'note index item_tags', 'note column must'].sort(),
    );
    await mend('--drop-extra');
    expect(await check()).toEqual({ code: 0, found: [] });
  });

  it('follows other names of tables and columns, and columns left out', async () => {
    await pair.root.sql(`create table base (id int primary key, secret text, val int check (val > 1), unique (val));
      create table sub (id int primary key, base_id int references base, v text default 'a');
      create index sub_secret on base (secret); create index sub_v on sub (lower(v))`);
    await pair.leaf.sql(
      'create schema other; create table other.basis (id int primary key, wert int); create table sub (id int primary key, base_id int, v text)',
    );
    expect((await pair.onRoot('add-table', 'base', 'sub')).code).toBe(0);
    await pair.sync();
    await pair.leaf.sql('alter table other.basis rename wert to val');
    const added = await pair.onLeaf(
      'add-table',
      'base',
      '--dest-table',
      'other.basis',
      '--skip-columns',
      'secret',
    );
    expect(added.err).not.toContain('ERROR');
    expect((await pair.onLeaf('add-table', 'sub')).code).toBe(0);
    await pair.sync();
    await pair.leaf.sql('alter table other.basis rename val to wert; alter table sub rename v to w');
    const { found } = await check('base', 'sub');
    expect(brief(found)).toEqual([
      'note column w',
      'note constraint base_val_check',
      'note foreign key sub_base_id_fkey',
      'note index sub_v',
      'note key base_val_key',
    ]);
    await mend('base', 'sub');
    expect(await check('base', 'sub')).toEqual({ code: 0, found: [] });
    const [row] = await pair.leaf.sql(
      `select pg_get_constraintdef(oid) as def from pg_constraint where conrelid = 'sub'::regclass and contype = 'f'`,
    );
    expect(row.def).toBe('FOREIGN KEY (base_id) REFERENCES other.basis(id)');
  });

  it('finds capture triggers that are gone, switched off or left over, and a column for which the capture is too old', async () => {
    await pair.root.sql(
      'drop trigger _londiste_pair_q_update on customer; alter table item disable trigger _londiste_pair_q; alter table sub add column fresh int',
    );
    await pair.leaf.sql(`alter table sub add column fresh int; drop trigger _londiste_pair_q on line;
      create trigger left_over after insert on line for each row execute function pgq.logutriga('gone_q')`);
    const { code, found } = await check();
    expect(code).toBe(1);
    expect(brief(found)).toEqual([
      'error trigger left_over',
      'error trigger public.customer',
      'error trigger public.item',
      'note trigger public.line',
      'note trigger public.sub',
    ]);
    const there = await pair.onRoot('check', '--json');
    expect([there.code, JSON.parse(there.out).error]).toEqual([1, 2]);
    for (const one of found)
      for (const { on, sql } of one.ddl) await (on === 'here' ? pair.leaf : pair.root).sql(sql);
    expect(await check()).toEqual({ code: 0, found: [] });
  });

  it('finds tables that are gone on a side, and makes them', async () => {
    await pair.leaf.sql('drop table line');
    const { found } = await check('line');
    expect(brief(found)).toEqual(['error table public.line']);
    await mend('line');
    expect(brief((await check('line')).found)).toEqual(
      [
        'note foreign key line_customer_id_fkey',
        'note foreign key line_item',
        'note trigger public.line',
      ].sort(),
    );
  });

  it('says on one line what cannot be checked', async () => {
    const { code, err } = await pair.onLeaf('check', 'nowhere');
    expect([code, err]).toEqual([
      2,
      expect.stringMatching(/^[^\n]* WARNING Table not subscribed: public.nowhere\n$/),
    ]);
    const both = await pair.onLeaf('check', '--json', '--ddl', '-');
    expect([both.code > 0, both.out]).toEqual([true, '']);
    expect(both.err).toContain('--ddl - and --json both want the output');
  });
});
