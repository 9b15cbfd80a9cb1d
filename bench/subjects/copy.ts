/** Initial copy: from the command that subscribes a table until its rows are there and changes flow. */
import { pipeline } from 'node:stream/promises';
import { from, to } from 'pg-copy-streams';
import { connect } from '../demo/connect.ts';
import { ACCOUNTS_BARE, ACCOUNTS_KEY, accountTables } from '../suite/accounts.ts';
import { kajaSite } from '../suite/kaja-site.ts';
import { londisteSite } from '../suite/londiste-site.ts';
import { builtInSite } from '../suite/other-sites.ts';
import { query, secondsOf } from '../suite/query.ts';
import {
  type ContenderName,
  createDatabase,
  difference,
  dropPlaces,
  type Servers,
  type Site,
} from '../suite/site.ts';
import { type Run, replicaContenders, type Subject } from '../suite/subject.ts';
import { canMeasureProcesses, megabytes } from '../suite/usage.ts';

/* More rows than this are compared by a sum. */
const MOST_SORTED = 10_000_000;

/** `COPY … TO STDOUT` piped into `COPY … FROM STDIN`, then the primary key. */
async function bareCopy(servers: Servers, prefix: string, schema: string): Promise<Site> {
  const provider = await createDatabase(servers.provider, `${prefix}_src`);
  const subscriber = await createDatabase(servers.subscriber, `${prefix}_dst1`);
  await query(provider, schema);
  const nothing = async (): Promise<void> => {};
  return {
    name: 'none',
    provider,
    subscriber,
    subscribers: [subscriber],
    publish: nothing,
    subscribe: async () => {
      await query(subscriber, ACCOUNTS_BARE);
      const [source, target] = await Promise.all([connect(provider), connect(subscriber)]);
      try {
        await pipeline(
          source.query(to('copy accounts to stdout')),
          target.query(from('copy accounts from stdin')),
        );
        await target.query(ACCOUNTS_KEY);
      } finally {
        await Promise.all([source.end(), target.end()]);
      }
    },
    pause: nothing,
    resume: nothing,
    freeze: nothing,
    thaw: nothing,
    processes: () => ({}),
    close: () => dropPlaces(servers, prefix),
  };
}

const CONTENDERS = {
  'bare COPY': bareCopy,
  'built-in': builtInSite,
  kaja: kajaSite,
  londiste: londisteSite,
} as const;

type Opener = (typeof CONTENDERS)[keyof typeof CONTENDERS];

let copies = 0;

async function oneCopy(run: Run, name: string, open: Opener, rows: number): Promise<void> {
  const setup = accountTables(rows);
  const site = await open(run.servers, `bench_copy${++copies}`, setup.schema);
  const add = (what: string, value: number, unit: string): void =>
    run.book.add('copy', `${rows} rows${what}`, name, value, unit);
  try {
    await query(site.provider, `${setup.seed}; checkpoint`);
    await site.publish(setup.tables);
    add(' until in sync', await secondsOf(() => site.subscribe(setup.tables)), 's');
    const pids = site.processes()['leaf worker'];
    if (canMeasureProcesses && pids) add(": the leaf worker's peak memory", megabytes(pids, 'VmHWM'), 'MB');
    const wrong = rows > MOST_SORTED ? await sumsDiffer(site) : await difference(site, setup.tables);
    if (wrong) run.book.fail('copy', name, wrong);
  } finally {
    await site.close();
  }
}

/* Sorting all rows as text, as `difference` does, has its limit at 1 GB. */
async function sumsDiffer(site: Site): Promise<string | undefined> {
  const text = 'select count(*), sum(hashtextextended(t::text, 0)) from accounts t';
  const sums = await Promise.all([site.provider, ...site.subscribers].map((url) => query(url, text)));
  const [left, ...others] = sums.map((rows) => JSON.stringify(rows));
  return others.every((right) => right === left) ? undefined : 'accounts differ';
}

/** Copy of 1,000,000 accounts (quick: 100,000; large: 50,000,000 too), each time to a new database. */
export const copy: Subject = {
  name: 'copy',
  measure: async (run: Run) => {
    const taking = replicaContenders(run);
    const openers = Object.entries(CONTENDERS).filter(
      ([name]) => name === 'bare COPY' || taking.includes(name as ContenderName),
    );
    for (let round = 1; round <= run.rounds; round++) {
      for (const [name, open] of openers) {
        run.note(`round ${round}: ${name}`);
        await oneCopy(run, name, open, run.quick ? 100_000 : 1_000_000);
      }
    }
    for (const [name, open] of run.large ? openers : []) {
      // Londiste would take half an hour.
      if (name === 'londiste') continue;
      run.note(`50,000,000 rows: ${name}`);
      await oneCopy(run, name, open, 50_000_000);
    }
  },
};
