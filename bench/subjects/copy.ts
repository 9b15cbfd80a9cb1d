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
  dropDatabase,
  type Servers,
  type Site,
} from '../suite/site.ts';
import { type Run, replicaContenders, type Subject } from '../suite/subject.ts';

/** `COPY … TO STDOUT` piped into `COPY … FROM STDIN`, then the primary key. */
async function bareCopy(servers: Servers, prefix: string, schema: string): Promise<Site> {
  const provider = await createDatabase(servers.provider, `${prefix}_src`);
  const subscriber = await createDatabase(servers.subscriber, `${prefix}_dst`);
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
    processes: () => ({}),
    close: async () => {
      await dropDatabase(servers.subscriber, `${prefix}_dst`);
      await dropDatabase(servers.provider, `${prefix}_src`);
    },
  };
}

const CONTENDERS = {
  'bare COPY': bareCopy,
  'built-in': builtInSite,
  kaja: kajaSite,
  londiste: londisteSite,
} as const;

/** Copy of 1,000,000 accounts (quick: 200,000), each time to a new database. */
export const copy: Subject = {
  name: 'copy',
  measure: async (run: Run) => {
    const rows = run.quick ? 200_000 : 1_000_000;
    const setup = accountTables(rows);
    for (let round = 1; round <= run.rounds; round++) {
      for (const [name, open] of Object.entries(CONTENDERS)) {
        if (name !== 'bare COPY' && !replicaContenders(run).includes(name as ContenderName)) continue;
        run.note(`round ${round}: ${name}`);
        const site = await open(run.servers, 'bench_copy', setup.schema);
        try {
          await query(site.provider, `${setup.seed}; checkpoint`);
          await site.publish(setup.tables);
          const seconds = await secondsOf(() => site.subscribe(setup.tables));
          run.book.add('copy', `${rows} rows until in sync`, name, seconds, 's');
          const wrong = await difference(site, setup.tables);
          if (wrong) run.book.fail('copy', name, wrong);
        } finally {
          await site.close();
        }
      }
    }
  },
};
