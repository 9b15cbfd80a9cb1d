/** Writes transactions at a fixed rate and watches each of them arrive. */
import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { connect } from '../demo/connect.ts';
import type { Site, SiteTables } from './site.ts';

const WRITERS = 8;
/* So long without an arrival. */
const GIVE_UP_MS = 30_000;

/** The tables that are written. */
export const PROBE_TABLES: SiteTables = {
  reusable: true,
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

/** What `measureDelays` saw. */
export interface Measured {
  readonly sortedMs: readonly number[];
  /** Seconds since the start at which a transaction arrived, and its delay in ms, in order of arrival. */
  readonly arrivals: readonly (readonly [number, number])[];
  /** Transactions per second that were really written. */
  readonly rate: number;
}

/**
 * Write at `rate` transactions per second for `seconds` and watch them arrive.
 * @returns delays in milliseconds, sorted
 * @throws Error when nothing arrives for 30 s
 */
export async function measureDelays(site: Site, rate: number, seconds: number): Promise<Measured> {
  const writers = Math.min(WRITERS, rate);
  const perWriter = Math.max(1, Math.round((rate * seconds) / writers));
  const first = base + 1;
  base += perWriter;
  const committedMs = Array.from({ length: writers }, () => [] as number[]);
  const seen = new Array<number>(writers).fill(first - 1);
  const arrivals: [number, number][] = [];
  const startedMs = performance.now();
  let finishedMs = startedMs;
  let arrivedMs = startedMs;

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
    while (arrivals.length < writers * perWriter) {
      const { rows } = await client.query<{ writer: number; n: number | null }>({ name: 'look', text: LOOK });
      const nowMs = performance.now();
      for (const { writer, n } of rows) {
        for (let next = (seen[writer] ?? 0) + 1; next <= (n ?? 0) && writer < writers; next++) {
          const committed = committedMs[writer]?.[next - first];
          // Visible before the writer heard of its own commit: look again, it will be there.
          if (committed === undefined) break;
          arrivals.push([(nowMs - startedMs) / 1000, Math.max(0, nowMs - committed)]);
          seen[writer] = next;
          arrivedMs = nowMs;
        }
      }
      if (nowMs - Math.max(finishedMs, arrivedMs) > GIVE_UP_MS)
        throw new Error(`${site.name}: nothing arrived for 30 s`);
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
      sortedMs: arrivals.map(([, delayMs]) => delayMs).sort((a, b) => a - b),
      arrivals,
      rate: arrivals.length / Math.max(0.001, (finishedMs - startedMs) / 1000),
    };
  } finally {
    await Promise.all(clients.map((one) => one.end()));
  }
}
