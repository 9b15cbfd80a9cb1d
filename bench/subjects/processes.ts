/** Memory and CPU of a contender's programs: idle, and while a backlog is drained; and how long `status` takes. */
import { setTimeout as pause } from 'node:timers/promises';
import { runLoad } from '../suite/load.ts';
import { LOGIN_TABLES, login, loginTables } from '../suite/logins.ts';
import type { NodeSite } from '../suite/node-site.ts';
import { withNodeSites } from '../suite/open-sites.ts';
import { secondsOf } from '../suite/query.ts';
import { catchUp, difference } from '../suite/site.ts';
import { nodeContenders, type Run, type Subject } from '../suite/subject.ts';
import { canMeasureProcesses, cpuSeconds, megabytes } from '../suite/usage.ts';

async function watch(run: Run, state: string, site: NodeSite, work: () => Promise<unknown>): Promise<void> {
  const programs = Object.entries(site.processes());
  const before = programs.map(([, pids]) => cpuSeconds(pids));
  const seconds = await secondsOf(work);
  for (const [at, [name, pids]] of programs.entries()) {
    const used = cpuSeconds(pids) - (before[at] ?? 0);
    run.book.add('processes', `${state} CPU, ${name}`, site.name, (100 * used) / seconds, '%');
    const field = state === 'idle' ? 'VmRSS' : 'VmHWM';
    run.book.add('processes', `${state} RSS, ${name}`, site.name, megabytes(pids, field), 'MB');
  }
}

async function oneRound(run: Run, site: NodeSite, users: number): Promise<void> {
  await catchUp(site);
  await pause(run.quick ? 1000 : 2000);
  await watch(run, 'idle', site, () => pause(run.quick ? 2000 : 20_000));
  for (let call = 0; call < 3; call++) {
    const status = await secondsOf(() => site.onLeaf([0], 'status'));
    run.book.add('processes', 'CLI status', site.name, status, 's');
  }
  await site.pause();
  const transactions = run.quick ? 2500 : 50_000;
  await runLoad(site.provider, login(users), 2, { transactions }, '-c synchronous_commit=off');
  await site.resume();
  await watch(run, 'draining', site, () => catchUp(site));
}

/** What belongs to the root (worker and ticker), and the leaf's worker. */
export const processes: Subject = {
  name: 'processes',
  measure: async (run: Run) => {
    if (!canMeasureProcesses) return run.note('only on Linux');
    const users = run.quick ? 20_000 : 200_000;
    // One site at a time, so that nobody is idle beside others.
    for (const name of nodeContenders(run)) {
      await withNodeSites(run.servers, [name], loginTables(users), async (sites) => {
        for (const site of sites) {
          for (let round = 1; round <= run.rounds; round++) {
            run.note(`round ${round}: ${name}`);
            await oneRound(run, site, users);
          }
          const wrong = await difference(site, LOGIN_TABLES);
          if (wrong) run.book.fail('processes', name, wrong);
        }
      });
    }
  },
};
