/** What capture costs the writer, while nobody applies. */
import type pg from 'pg';
import { connect } from '../demo/connect.ts';
import { runLoad, type Script } from '../suite/load.ts';
import { withSites } from '../suite/open-sites.ts';
import { query, secondsOf } from '../suite/query.ts';
import { catchUp, difference, type Site, type SiteTables } from '../suite/site.ts';
import { captureContenders, type Run, type Subject } from '../suite/subject.ts';

const ACCOUNTS = 20_000;
const TABLES = ['orders', 'wide', 'documents', 'account'] as const;

const columns = (count: number, text: (at: number) => string): string =>
  Array.from({ length: count }, (_, at) => text(at)).join(', ');

const SETUP: SiteTables = {
  tables: TABLES,
  schema: `
    create table orders (id int primary key, customer int, amount numeric, placed timestamptz, state text, note text);
    create table wide (id int primary key, ${columns(40, (at) => `c${at} ${at % 2 === 0 ? 'int' : 'text'}`)});
    create table documents (id int primary key, body text, tags text[], attributes jsonb);
    create table account (id int primary key, balance int not null, filler text)`,
  seed: `
    insert into account select g, 0, repeat('x', 80) from generate_series(1, ${ACCOUNTS}) g;
    analyze`,
};

/** Statements timed one by one; the order leaves the tables empty, for the next round. */
const bulk = (rows: number): readonly (readonly [string, string])[] => [
  [
    `bulk insert ${rows}`,
    `insert into orders select g, g % 1000, g * 1.25, now(), 'new', 'note ' || g from generate_series(1, ${rows}) g`,
  ],
  [`bulk update ${rows}`, `update orders set state = 'sent', amount = amount + 1`],
  [`bulk delete ${rows}`, 'delete from orders'],
  [
    `wide rows (41 columns) insert ${rows / 5}`,
    `insert into wide select g, ${columns(40, (at) => (at % 2 === 0 ? `g + ${at}` : `'value ' || g`))} from generate_series(1, ${rows / 5}) g`,
  ],
  [`wide rows (41 columns) update ${rows / 5}`, 'update wide set c0 = c0 + 1'],
  [
    `10 kB text, array, jsonb insert ${rows / 25}`,
    `insert into documents select g, (select string_agg(md5(g::text || n), '') from generate_series(1, 320) n), array['a', 'b', g::text],
       jsonb_build_object('id', g, 'list', jsonb_build_array(1, 2, g), 'name', 'name ' || g) from generate_series(1, ${rows / 25}) g`,
  ],
  [
    `10 kB text, array, jsonb update ${rows / 25}`,
    `update documents set attributes = attributes || '{"seen": true}', tags = array_append(tags, 'c')`,
  ],
  ['', 'delete from wide'],
  ['', 'delete from documents'],
];

const oltp: Script = {
  users: ACCOUNTS,
  statements: ['update account set balance = balance + 1 where id = :userid'],
};

async function writeBulk(run: Run, site: Site, client: pg.Client, rows: number): Promise<number> {
  let written = 0;
  for (const [what, text] of bulk(rows)) {
    const seconds = await secondsOf(async () => {
      written += (await client.query(text)).rowCount ?? 0;
    });
    if (what !== '') run.book.add('capture', what, site.name, seconds, 's');
  }
  return written;
}

/** Bulk statements, wide and long rows, single-row transactions. */
export const capture: Subject = {
  name: 'capture',
  measure: async (run: Run) => {
    const rows = run.quick ? 10_000 : 50_000;
    const seconds = run.quick ? 1 : 5;
    await withSites(run.servers, captureContenders(run), SETUP, async (sites) => {
      for (const site of sites) await site.pause();
      const written = new Map<Site, number>();
      for (let round = 1; round <= run.rounds; round++) {
        for (const site of sites) {
          run.note(`round ${round}: ${site.name}, bulk`);
          const client = await connect(site.provider);
          // What autovacuum would do at some moment of its choice.
          await client.query('vacuum analyze orders, wide, documents, account');
          written.set(site, (written.get(site) ?? 0) + (await writeBulk(run, site, client, rows)));
          await client.end();
        }
        for (const clients of run.quick ? [4] : [1, 4]) {
          for (const site of sites) {
            run.note(`round ${round}: ${site.name}, ${clients} clients`);
            const tps = await runLoad(site.provider, oltp, clients, { seconds });
            run.book.add('capture', `oltp, clients: ${clients}`, site.name, tps, 'tps', 'more');
          }
        }
      }
      for (const site of sites) await check(run, site, written.get(site) ?? 0);
    });
  },
};

/** Let the subscriber catch up and compare; without one, count what was captured. */
async function check(run: Run, site: Site, bulkRows: number): Promise<void> {
  await site.resume();
  await catchUp(site);
  const wrong = await difference(site, TABLES);
  if (wrong) run.book.fail('capture', site.name, wrong);
  if (site.name !== 'pgq-c') return;
  const [row] = await query(
    site.provider,
    `select (select count(*) from pgq.event_1 where ev_extra1 not in ('public.account', 'public.bench_marker'))::int as bulk,
            (select count(*) from pgq.event_1 where ev_extra1 = 'public.account')::int as oltp,
            (select sum(balance) from account)::int as balance`,
  );
  if (row?.bulk !== bulkRows || row.oltp !== row.balance)
    run.book.fail('capture', site.name, 'events are missing');
}
