/** Does a batch of 1,000 events cost the same, however many wait behind it? */
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from '../demo/connect.ts';
import { digestOf } from '../demo/same-rows.ts';
import type { NodeSite } from '../suite/node-site.ts';
import { withNodeSites } from '../suite/open-sites.ts';
import { query } from '../suite/query.ts';
import type { SiteTables } from '../suite/site.ts';
import { nodeContenders, type Run, type Subject } from '../suite/subject.ts';

const BATCH = 1000;
/* Batches that are let through before the clock starts. */
const WARM = 5;
const GIVE_UP_MS = 120_000;

const SETUP: SiteTables = {
  tables: ['backlog'],
  schema: 'create table backlog (id bigint primary key, note text)',
};

/* Each batch is one transaction and one tick. */
const fill = (from: number, to: number): string => `do $do$
  begin
    set synchronous_commit = off;
    for i in ${from / BATCH}..${to / BATCH - 1} loop
      insert into backlog select i * ${BATCH} + g, 'waiting' from generate_series(1, ${BATCH}) g;
      commit;
      perform pgq.ticker('bench');
      commit;
    end loop;
  end $do$`;

/** Milliseconds per batch, over `batches` of them, from rows that appear in order. */
async function timeBatches(site: NodeSite, applied: number, batches: number): Promise<number> {
  const client = await connect(site.subscriber);
  const deadlineMs = performance.now() + GIVE_UP_MS;
  const reach = async (id: number): Promise<readonly [number, number]> => {
    for (;;) {
      const { rows } = await client.query('select coalesce(max(id), 0)::int as id from backlog');
      if (rows[0].id >= id) return [performance.now(), rows[0].id];
      if (performance.now() > deadlineMs) throw new Error(`${site.name} stands still with events waiting`);
      await pause(5);
    }
  };
  try {
    const [startMs, first] = await reach(applied + WARM * BATCH);
    const [endMs, last] = await reach(first + batches * BATCH);
    return ((endMs - startMs) * BATCH) / (last - first);
  } finally {
    await client.end();
  }
}

async function check(run: Run, site: NodeSite): Promise<number> {
  const [row] = await query(site.subscriber, 'select coalesce(max(id), 0)::int as id from backlog');
  const where = `id <= ${row?.id}`;
  const [left, right] = await Promise.all(
    [site.provider, site.subscriber].map((url) => digestOf({ url, table: 'backlog', where })),
  );
  if (left?.hash !== right?.hash) run.book.fail('queue', site.name, 'rows differ');
  return Number(row?.id);
}

/** 100,000 and 1,000,000 waiting events (quick: 20,000 and 100,000; large: 10,000,000 too). */
export const queue: Subject = {
  name: 'queue',
  measure: async (run: Run) => {
    const sizes = run.quick ? [20_000, 100_000] : [100_000, 1_000_000, ...(run.large ? [10_000_000] : [])];
    const batches = run.quick ? 15 : 50;
    await withNodeSites(run.servers, nodeContenders(run), SETUP, async (sites) => {
      for (const site of sites) {
        await site.pause();
        let applied = 0;
        let written = 0;
        for (const size of sizes) {
          // PgQ's C trigger needs minutes for more.
          if (site.name === 'londiste' && size > 1_000_000) continue;
          run.note(`${site.name}: ${size} waiting`);
          await query(site.provider, fill(written, applied + size));
          written = applied + size;
          // Londiste takes every tick by itself.
          if (site.name === 'kaja') site.resumeWith('--set', `batch_max_events=${BATCH}`);
          else await site.resume();
          const ms = await timeBatches(site, applied, batches);
          await site.pause();
          run.book.add('queue', `a batch of ${BATCH}, ${size} events waiting`, site.name, ms, 'ms');
          applied = await check(run, site);
        }
      }
    });
    run.book.addGrowth(
      'queue',
      { drawing: 'queue', what: `ms for a batch of ${BATCH} events`, across: 'events waiting' },
      sizes.map((size) => [size, `a batch of ${BATCH}, ${size} events waiting`]),
    );
  },
};
