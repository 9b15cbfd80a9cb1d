/** Time from commit on the provider to visible on the subscriber, at fixed rates. */
import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { connect } from '../demo/connect.ts';
import { percentile } from '../suite/book.ts';
import { withSites } from '../suite/open-sites.ts';
import { catchUp, difference, type Site, type SiteTables } from '../suite/site.ts';
import type { Run, Subject } from '../suite/subject.ts';

const WRITERS = 4;
const RATES = [1, 200, 1000] as const;
const GIVE_UP_MS = 30_000;
const SHARES = { p50: 0.5, p95: 0.95, p99: 0.99, max: 1 } as const;

const SETUP: SiteTables = {
  tables: ['probe', 'counter'],
  schema: `
    create table probe (writer int, n bigint, note text, primary key (writer, n));
    create table counter (id int primary key, n bigint not null)`,
  seed: 'insert into counter select g, 0 from generate_series(1, 1000) g',
};

/** One insert and one update per transaction, in one round trip. */
const WRITE = `with one as (insert into probe values ($1, $2, 'a row to be seen'))
  update counter set n = $2 where id = $1 * 100 + $2 % 100`;

/** Newest probe of each writer. */
const LOOK = `select w as writer, (select max(n) from probe where writer = w)::int as n from generate_series(0, ${WRITERS - 1}) w`;

/** Probes start here in each measurement, so that numbers always grow. */
let base = 0;

interface Measured {
  readonly sortedMs: readonly number[];
  /** Transactions per second that were really written. */
  readonly rate: number;
}

/**
 * Write at `rate` transactions per second for `seconds` and watch them arrive.
 * @returns delays in milliseconds, sorted
 * @throws Error when something does not arrive within 30 s
 */
export async function measureDelays(site: Site, rate: number, seconds: number): Promise<Measured> {
  const writers = Math.min(WRITERS, rate);
  const perWriter = Math.max(1, Math.round((rate * seconds) / writers));
  const first = base + 1;
  base += perWriter;
  const committedMs = Array.from({ length: writers }, () => [] as number[]);
  const seen = new Array<number>(writers).fill(first - 1);
  const delays: number[] = [];
  const startedMs = performance.now();
  let finishedMs = startedMs;

  const write = async (client: pg.Client, writer: number): Promise<void> => {
    for (let n = 0; n < perWriter; n++) {
      // Writers share the rate and start one after the other.
      const dueMs = startedMs + ((n + writer / writers) * writers * 1000) / rate;
      const waitMs = dueMs - performance.now();
      if (waitMs > 1) await pause(waitMs);
      await client.query({ name: 'write', text: WRITE, values: [writer, first + n] });
      finishedMs = performance.now();
      committedMs[writer]?.push(finishedMs);
    }
  };
  const watch = async (client: pg.Client): Promise<void> => {
    while (delays.length < writers * perWriter) {
      const { rows } = await client.query<{ writer: number; n: number | null }>({ name: 'look', text: LOOK });
      const nowMs = performance.now();
      for (const { writer, n } of rows) {
        for (let next = (seen[writer] ?? 0) + 1; next <= (n ?? 0) && writer < writers; next++) {
          const committed = committedMs[writer]?.[next - first];
          // Visible before the writer heard of its own commit: look again, it will be there.
          if (committed === undefined) break;
          delays.push(Math.max(0, nowMs - committed));
          seen[writer] = next;
        }
      }
      if (nowMs - finishedMs > GIVE_UP_MS) throw new Error(`${site.name}: probes did not arrive within 30 s`);
      await pause(2);
    }
  };
  const clients = await Promise.all([
    connect(site.subscriber ?? ''),
    ...Array.from({ length: writers }, () => connect(site.provider)),
  ]);
  try {
    const [watcher, ...writing] = clients;
    await Promise.all([watch(watcher as pg.Client), ...writing.map(write)]);
    return {
      sortedMs: delays.sort((a, b) => a - b),
      rate: delays.length / Math.max(0.001, (finishedMs - startedMs) / 1000),
    };
  } finally {
    await Promise.all(clients.map((one) => one.end()));
  }
}

/** Percentiles at 1, 200 and 1,000 transactions per second. */
export const latency: Subject = {
  name: 'latency',
  measure: async (run: Run) => {
    await withSites(run.servers, ['built-in', 'kaja'], SETUP, async (sites) => {
      for (let round = 1; round <= run.rounds; round++) {
        for (const rate of RATES) {
          for (const site of sites) {
            run.note(`round ${round}: ${site.name}, ${rate} tx/s`);
            await catchUp(site);
            const { sortedMs, rate: reached } = await measureDelays(site, rate, run.quick ? 3 : 10);
            for (const [name, share] of Object.entries(SHARES))
              run.book.add('latency', `${rate} tx/s ${name}`, site.name, percentile(sortedMs, share), 'ms');
            if (rate > 1)
              run.book.add('latency', `${rate} tx/s: rate reached`, site.name, reached, 'tx/s', 'more');
          }
        }
      }
      for (const site of sites) {
        await catchUp(site);
        const wrong = await difference(site, SETUP.tables);
        if (wrong) run.book.fail('latency', site.name, wrong);
      }
    });
  },
};
