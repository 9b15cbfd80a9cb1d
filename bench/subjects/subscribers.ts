/** Cost as the number of subscribers grows: the provider's CPU, and the lag of one of them, at a fixed rate. */
import { setTimeout as pause } from 'node:timers/promises';
import { percentile } from '../suite/book.ts';
import { measureDelays, PROBE_TABLES } from '../suite/delays.ts';
import { withSites } from '../suite/open-sites.ts';
import { secondsOf } from '../suite/query.ts';
import { postmasterPid } from '../suite/servers.ts';
import { catchUp, difference, type Site } from '../suite/site.ts';
import { growthContenders, type Run, type Subject } from '../suite/subject.ts';
import { canMeasureProcesses, treeCpuSeconds } from '../suite/usage.ts';

const RATE = 200;

async function providerLoad(run: Run, work: () => Promise<unknown>): Promise<number> {
  const pid = await postmasterPid(run.servers.provider);
  const before = treeCpuSeconds(pid);
  const seconds = await secondsOf(work);
  return (100 * (treeCpuSeconds(pid) - before)) / seconds;
}

async function oneSite(run: Run, site: Site, count: number): Promise<void> {
  const add = (what: string, value: number, unit: string): void =>
    run.book.add('subscribers', `${count} subscribers: ${what}`, site.name, value, unit);
  for (let round = 1; round <= run.rounds; round++) {
    run.note(`${count} subscribers, round ${round}: ${site.name}`);
    await catchUp(site);
    add(
      "idle, the provider's CPU",
      await providerLoad(run, () => pause(run.quick ? 1000 : 5000)),
      '% of one',
    );
    const load = await providerLoad(run, async () => {
      const { sortedMs } = await measureDelays(site, RATE, run.quick ? 2 : 10);
      add(`${RATE} tx/s p50`, percentile(sortedMs, 0.5), 'ms');
      add(`${RATE} tx/s p99`, percentile(sortedMs, 0.99), 'ms');
      await catchUp(site);
    });
    add(`${RATE} tx/s, the provider's CPU`, load, '% of one');
  }
  const wrong = await difference(site, PROBE_TABLES.tables);
  if (wrong) run.book.fail('subscribers', site.name, wrong);
}

/** 1, 4 and 16 subscribers (quick: 2). */
export const subscribers: Subject = {
  name: 'subscribers',
  measure: async (run: Run) => {
    if (!canMeasureProcesses) return run.note('only on Linux');
    const counts = run.quick ? [2] : [1, 4, 16];
    for (const count of counts) {
      // One contender at a time, so that nobody is idle beside others.
      for (const name of growthContenders(run)) {
        const use = async (sites: readonly Site[]): Promise<void> => {
          for (const site of sites) await oneSite(run, site, count);
        };
        await withSites(run.servers, [name], PROBE_TABLES, use, count);
      }
    }
    for (const [what, drawing, title] of [
      [
        `${RATE} tx/s, the provider's CPU`,
        'cpu',
        `the provider's CPU at ${RATE} tx/s, percent of one processor`,
      ],
      [`${RATE} tx/s p50`, 'lag', `p50 of the lag at ${RATE} tx/s, ms`],
    ] as const)
      run.book.addGrowth(
        'subscribers',
        { drawing: `subscribers-${drawing}`, what: title, across: 'subscribers' },
        counts.map((count) => [count, `${count} subscribers: ${what}`]),
      );
  },
};
