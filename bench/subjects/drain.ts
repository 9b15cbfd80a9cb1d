/** A backlog is written while nobody applies; then: how long until the subscriber has it all. */
import { runLoad } from '../suite/load.ts';
import { LOGIN_TABLES, login, loginTables, logout } from '../suite/logins.ts';
import { withSites } from '../suite/open-sites.ts';
import { secondsOf } from '../suite/query.ts';
import { catchUp, difference } from '../suite/site.ts';
import { type Run, replicaContenders, type Subject } from '../suite/subject.ts';

const CLIENTS = 2;
/* How fast the backlog was written is not the question here. */
const FAST_COMMIT = '-c synchronous_commit=off';

/** Drain of 400,000 row changes (quick: 16,000). */
export const drain: Subject = {
  name: 'drain',
  measure: async (run: Run) => {
    const users = run.quick ? 20_000 : 200_000;
    const perClient = run.quick ? 2000 : 50_000;
    const changes = perClient * CLIENTS * 4;
    await withSites(run.servers, replicaContenders(run, true), loginTables(users), async (sites) => {
      for (let round = 1; round <= run.rounds; round++) {
        for (const site of sites) {
          run.note(`round ${round}: ${site.name}`);
          await site.pause();
          for (const script of [login(users), logout(users)])
            await runLoad(site.provider, script, CLIENTS, { transactions: perClient }, FAST_COMMIT);
          const seconds = await secondsOf(async () => {
            await site.resume();
            await catchUp(site);
          });
          run.book.add('drain', `seconds for ${changes} changes`, site.name, seconds, 's');
          run.book.add('drain', 'changes per second', site.name, changes / seconds, '/s', 'more');
          const wrong = await difference(site, LOGIN_TABLES);
          if (wrong) run.book.fail('drain', site.name, wrong);
        }
      }
    });
  },
};
