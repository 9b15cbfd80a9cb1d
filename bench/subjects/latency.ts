/** Time from commit on the provider to visible on the subscriber, at fixed rates. */
import { percentile } from '../suite/book.ts';
import { measureDelays, PROBE_TABLES } from '../suite/delays.ts';
import { withSites } from '../suite/open-sites.ts';
import { catchUp, difference } from '../suite/site.ts';
import { type Run, replicaContenders, type Subject } from '../suite/subject.ts';

const RATES = [1, 200, 1000] as const;
const SHARES = { p50: 0.5, p95: 0.95, p99: 0.99, max: 1 } as const;

/** Percentiles at 1, 200 and 1,000 transactions per second. */
export const latency: Subject = {
  name: 'latency',
  measure: async (run: Run) => {
    await withSites(run.servers, replicaContenders(run), PROBE_TABLES, async (sites) => {
      const seconds = run.quick ? 2 : 10;
      for (let round = 1; round <= run.rounds; round++) {
        for (const rate of RATES) {
          for (const site of sites) {
            run.note(`round ${round}: ${site.name}, ${rate} tx/s`);
            await catchUp(site);
            const { sortedMs, rate: reached } = await measureDelays(site, rate, seconds);
            for (const [name, share] of Object.entries(SHARES))
              run.book.add('latency', `${rate} tx/s ${name}`, site.name, percentile(sortedMs, share), 'ms');
            if (rate > 1)
              run.book.add('latency', `${rate} tx/s: rate reached`, site.name, reached, 'tx/s', 'more');
          }
        }
      }
      for (const site of sites) {
        await catchUp(site);
        const wrong = await difference(site, PROBE_TABLES.tables);
        if (wrong) run.book.fail('latency', site.name, wrong);
      }
    });
  },
};
