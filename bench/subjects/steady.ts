/** Steady load: does the lag stay flat, and where. */
import { percentile } from '../suite/book.ts';
import { type Measured, measureDelays, PROBE_TABLES } from '../suite/delays.ts';
import { withSites } from '../suite/open-sites.ts';
import { catchUp, difference } from '../suite/site.ts';
import { type Run, replicaContenders, type Subject } from '../suite/subject.ts';

const RATES = [500, 1000, 2000] as const;

/** Largest delay of each second, in order. */
function perSecond({ arrivals }: Measured): [number, number][] {
  const worst = new Map<number, number>();
  for (const [atSecond, delayMs] of arrivals) {
    const second = Math.floor(atSecond);
    worst.set(second, Math.max(worst.get(second) ?? 0, delayMs));
  }
  return [...worst].sort(([a], [b]) => a - b);
}

/** Middle of the lag in a part of the run. */
const middle = (points: readonly (readonly [number, number])[]): number =>
  percentile(
    points.map(([, lagMs]) => lagMs).sort((a, b) => a - b),
    0.5,
  );

/** Lag over time at 500, 1,000 and 2,000 transactions (with two row changes each) per second. */
export const steady: Subject = {
  name: 'steady',
  measure: async (run: Run) => {
    const seconds = Math.round(run.minutes * 60);
    const rates = run.rates ?? (run.quick ? [1000] : RATES);
    await withSites(run.servers, replicaContenders(run), PROBE_TABLES, async (sites) => {
      for (const rate of rates) {
        for (const site of sites) {
          run.note(`${site.name}, ${rate} tx/s for ${seconds} s`);
          await catchUp(site);
          const measured = await measureDelays(site, rate, seconds);
          const points = perSecond(measured);
          const third = Math.ceil(points.length / 3);
          const add = (what: string, value: number): void =>
            run.book.add('steady', `${rate} tx/s: ${what}`, site.name, value, 'ms');
          add('worst lag per second, first third', middle(points.slice(0, third)));
          add('worst lag per second, last third', middle(points.slice(-third)));
          const growth = middle(points.slice(-third)) / middle(points.slice(0, third));
          run.book.add('steady', `${rate} tx/s: last third against first`, site.name, growth, '×');
          run.book.add('steady', `${rate} tx/s: rate reached`, site.name, measured.rate, 'tx/s', 'more');
          run.book.curves.push({
            drawing: `lag-at-${rate}`,
            what: `largest lag in each second at ${rate} tx/s, ms`,
            across: 'seconds',
            contender: site.name,
            points,
          });
        }
      }
      for (const site of sites) {
        await catchUp(site);
        const wrong = await difference(site, PROBE_TABLES.tables);
        if (wrong) run.book.fail('steady', site.name, wrong);
      }
    });
  },
};
