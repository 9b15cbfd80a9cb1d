/** Drain of backlogs that are not logins: hot keys, many indexes, foreign keys, deletes, TPC-B, wide rows. */
import { MIX_TABLES, MIXES, type Mix, transactionsOf } from '../suite/mixes.ts';
import { withSites } from '../suite/open-sites.ts';
import { query, secondsOf } from '../suite/query.ts';
import { catchUp, difference, type Site } from '../suite/site.ts';
import { type Run, replicaContenders, type Subject } from '../suite/subject.ts';

async function drainMix(run: Run, site: Site, mix: Mix, changes: number): Promise<void> {
  const transactions = Math.round(changes / mix.changes);
  if (mix.refill) await query(site.provider, mix.refill(transactions));
  await catchUp(site);
  await site.freeze();
  await query(site.provider, transactionsOf(mix.body, transactions));
  const seconds = await secondsOf(async () => {
    await site.thaw();
    await catchUp(site);
  });
  run.book.add(
    'mixes',
    `${mix.name}: changes per second, ${changes} changes`,
    site.name,
    changes / seconds,
    '/s',
    'more',
  );
}

/** Drain of 50,000 changes of each mix (quick: 2,000). */
export const mixes: Subject = {
  name: 'mixes',
  measure: async (run: Run) => {
    const changes = run.quick ? 2000 : 50_000;
    await withSites(run.servers, replicaContenders(run), MIX_TABLES, async (sites) => {
      for (let round = 1; round <= run.rounds; round++) {
        for (const mix of MIXES) {
          for (const site of sites) {
            run.note(`round ${round}: ${site.name}, ${mix.name}`);
            await drainMix(run, site, mix, changes);
            const wrong = await difference(site, mix.tables);
            if (wrong) run.book.fail('mixes', site.name, wrong);
          }
        }
      }
    });
  },
};
