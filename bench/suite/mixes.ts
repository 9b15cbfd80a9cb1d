/** Mixes of changes other than logins: each writes small transactions, row by row, so that a backlog looks like an application's. */
import type { SiteTables } from './site.ts';

/** One mix. */
export interface Mix {
  readonly name: string;
  readonly tables: readonly string[];
  /** DDL for both sides. */
  readonly schema: string;
  /** Rows for both sides. */
  readonly seed?: string;
  /** Statement that runs before each backlog and is replicated before the clock starts. */
  readonly refill?: (transactions: number) => string;
  /** Row changes in one transaction. */
  readonly changes: number;
  /** PL/pgSQL of one transaction; `i` counts from 1. */
  readonly body: string;
}

const HOT_KEYS = 20;
const TPCB_SCALE = 5;
const numbered = (count: number, text: (at: number) => string): string =>
  Array.from({ length: count }, (_, at) => text(at)).join(', ');

/** All of them. */
export const MIXES: readonly Mix[] = [
  {
    name: `hot keys (${HOT_KEYS} rows)`,
    tables: ['hot'],
    schema: 'create table hot (id int primary key, n bigint not null, note text)',
    seed: `insert into hot select g, 0, 'a counter' from generate_series(1, ${HOT_KEYS}) g`,
    changes: 5,
    body: `for k in 0..4 loop update hot set n = n + 1 where id = 1 + (i * 5 + k) % ${HOT_KEYS}; end loop`,
  },
  {
    name: 'four indexes',
    tables: ['indexed'],
    schema: `create table indexed (id bigserial primary key, a int, b text, c timestamptz, d numeric);
      create index on indexed (a); create index on indexed (b); create index on indexed (c); create index on indexed (d)`,
    changes: 2,
    body: `insert into indexed (a, b, c, d) values (i, md5(i::text), now(), i * 1.5) returning id into k;
      update indexed set a = a + 1, d = d + 1 where id = greatest(1, k - 100)`,
  },
  {
    name: 'foreign keys',
    tables: ['parent', 'child'],
    schema: `create table parent (id bigserial primary key, name text);
      create table child (id bigserial primary key, parent bigint not null references parent, amount numeric)`,
    changes: 4,
    body: `insert into parent (name) values ('parent ' || i) returning id into k;
      insert into child (parent, amount) values (k, i), (k, i + 0.5);
      update child set amount = amount + 1 where id = (select max(id) from child)`,
  },
  {
    name: 'deletes',
    tables: ['doomed'],
    schema: 'create table doomed (id int primary key, note text)',
    refill: (transactions) =>
      `insert into doomed select g, 'to be deleted' from generate_series(1, ${transactions * 4}) g`,
    changes: 4,
    body: 'for k in 0..3 loop delete from doomed where id = i * 4 - k; end loop',
  },
  {
    name: 'TPC-B',
    tables: ['pgbench_branches', 'pgbench_tellers', 'pgbench_accounts', 'pgbench_history'],
    // As pgbench makes them; Londiste needs a key, so the history has one.
    schema: `create table pgbench_branches (bid int primary key, bbalance int, filler char(88));
      create table pgbench_tellers (tid int primary key, bid int, tbalance int, filler char(84));
      create table pgbench_accounts (aid int primary key, bid int, abalance int, filler char(84));
      create table pgbench_history (id bigserial primary key, tid int, bid int, aid int, delta int, mtime timestamp, filler char(22))`,
    seed: `insert into pgbench_branches select g, 0, '' from generate_series(1, ${TPCB_SCALE}) g;
      insert into pgbench_tellers select g, (g - 1) / 10 + 1, 0, '' from generate_series(1, ${TPCB_SCALE * 10}) g;
      insert into pgbench_accounts select g, (g - 1) / 10000 + 1, 0, '' from generate_series(1, ${TPCB_SCALE * 10000}) g`,
    changes: 4,
    body: `k := (random() * 9999)::int - 5000;
      update pgbench_accounts set abalance = abalance + k where aid = 1 + (i * 7919) % ${TPCB_SCALE * 10000};
      update pgbench_tellers set tbalance = tbalance + k where tid = 1 + i % ${TPCB_SCALE * 10};
      update pgbench_branches set bbalance = bbalance + k where bid = 1 + i % ${TPCB_SCALE};
      insert into pgbench_history (tid, bid, aid, delta, mtime)
        values (1 + i % ${TPCB_SCALE * 10}, 1 + i % ${TPCB_SCALE}, 1 + (i * 7919) % ${TPCB_SCALE * 10000}, k, now())`,
  },
  {
    name: 'wide rows (41 columns)',
    tables: ['wide'],
    schema: `create table wide (id bigserial primary key, ${numbered(40, (at) => `c${at} ${at % 2 === 0 ? 'int' : 'text'}`)})`,
    changes: 2,
    body: `insert into wide (${numbered(40, (at) => `c${at}`)})
        values (${numbered(40, (at) => (at % 2 === 0 ? `i + ${at}` : `'value ' || i`))}) returning id into k;
      update wide set c0 = c0 + 1 where id = greatest(1, k - 50)`,
  },
];

/** Tables of all mixes. */
export const MIX_TABLES: SiteTables = {
  tables: MIXES.flatMap(({ tables }) => tables),
  schema: MIXES.map(({ schema }) => schema).join(';\n'),
  seed: `${MIXES.flatMap(({ seed }) => seed ?? []).join(';\n')}; analyze`,
};

/** Statement that writes so many transactions; how fast it does so is not the question, so it does not wait for the disk. */
export const transactionsOf = (body: string, transactions: number): string => `do $do$
  declare
    k bigint;
  begin
    set synchronous_commit = off;
    for i in 1..${transactions} loop
      ${body};
      commit;
    end loop;
  end $do$`;
