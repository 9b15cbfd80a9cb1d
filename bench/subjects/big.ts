/** One big transaction: does it arrive, how fast, and how much memory does the worker take? */
import { withSites } from '../suite/open-sites.ts';
import { query, secondsOf } from '../suite/query.ts';
import { catchUp, difference, type Site, type SiteTables } from '../suite/site.ts';
import { type Run, replicaContenders, type Subject } from '../suite/subject.ts';
import { canMeasureProcesses, megabytes } from '../suite/usage.ts';

const SETUP: SiteTables = {
  tables: ['big'],
  schema: 'create table big (id int primary key, n int, note text)',
};

/* Each round puts its rows behind those of the last. */
const write = (round: number, rows: number): string => `begin;
  insert into big select g, 0, 'a row of a big transaction' from generate_series(${round * rows + 1}, ${(round + 1) * rows}) g;
  update big set n = n + 1 where id > ${round * rows};
  commit`;

async function oneRound(run: Run, site: Site, round: number, changes: number): Promise<void> {
  await site.pause();
  await query(site.provider, write(round, changes / 2));
  const what = `one transaction with ${changes} changes`;
  const seconds = await secondsOf(async () => {
    await site.resume();
    await catchUp(site);
  });
  run.book.add('big', `${what}: seconds`, site.name, seconds, 's');
  const pids = site.processes()['leaf worker'];
  if (canMeasureProcesses && pids)
    run.book.add('big', `${what}: the leaf worker's peak memory`, site.name, megabytes(pids, 'VmHWM'), 'MB');
  const wrong = await difference(site, SETUP.tables);
  if (wrong) run.book.fail('big', site.name, wrong);
}

/** One transaction with 1,000,000 changes (quick: 50,000; large: 5,000,000 too). */
export const big: Subject = {
  name: 'big',
  measure: async (run: Run) => {
    const sizes = run.quick ? [50_000] : [1_000_000, ...(run.large ? [5_000_000] : [])];
    for (const changes of sizes) {
      await withSites(run.servers, replicaContenders(run), SETUP, async (sites) => {
        for (let round = 0; round < run.rounds; round++) {
          for (const site of sites) {
            // Londiste needs minutes for each.
            if (site.name === 'londiste' && (round > 0 || changes > 1_000_000)) continue;
            run.note(`round ${round + 1}: ${site.name}, ${changes} changes`);
            await oneRound(run, site, round, changes);
          }
        }
      });
    }
  },
};
