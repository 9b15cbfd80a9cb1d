/** Cost as the number of captured tables grows: the same number of changes spread over them, and standing by. */
import { setTimeout as pause } from 'node:timers/promises';
import { transactionsOf } from '../suite/mixes.ts';
import { withSites } from '../suite/open-sites.ts';
import { query, secondsOf } from '../suite/query.ts';
import { catchUp, difference, type Site, type SiteTables } from '../suite/site.ts';
import { growthContenders, type Run, type Subject } from '../suite/subject.ts';
import { canMeasureProcesses, cpuSeconds, megabytes } from '../suite/usage.ts';

const PER_TRANSACTION = 4;

const nameOf = (at: number): string => `t${String(at).padStart(4, '0')}`;

function tablesOf(count: number): SiteTables {
  const tables = Array.from({ length: count }, (_, at) => nameOf(at));
  return {
    tables,
    schema: tables
      .map((name) => `create table ${name} (id bigserial primary key, n int, note text)`)
      .join('; '),
  };
}

/** Two inserts and two updates in two tables. */
const bodyOf = (count: number): string =>
  [0, 1]
    .map(
      (half) => `execute format('insert into t%s (n, note) values (%s, ''a row''); update t%1$s set n = n + 1
        where id = (select max(id) from t%1$s)', to_char((i * 2 + ${half}) % ${count}, 'FM0000'), i)`,
    )
    .join(';\n');

async function standBy(run: Run, site: Site, count: number): Promise<void> {
  const pids = Object.values(site.processes()).flat();
  if (!canMeasureProcesses || pids.length === 0) return;
  const before = cpuSeconds(pids);
  const seconds = await secondsOf(() => pause(run.quick ? 1000 : 10_000));
  const used = (100 * (cpuSeconds(pids) - before)) / seconds;
  run.book.add('tables', `${count} tables: idle CPU, all programs`, site.name, used, '%');
  run.book.add('tables', `${count} tables: RSS, all programs`, site.name, megabytes(pids, 'VmRSS'), 'MB');
}

async function oneCount(run: Run, count: number, changes: number): Promise<void> {
  const setup = tablesOf(count);
  run.note(`${count} tables: set-up`);
  await withSites(run.servers, growthContenders(run), setup, async (sites) => {
    for (let round = 1; round <= run.rounds; round++) {
      for (const site of sites) {
        run.note(`${count} tables, round ${round}: ${site.name}`);
        await standBy(run, site, count);
        await site.freeze();
        await query(site.provider, transactionsOf(bodyOf(count), changes / PER_TRANSACTION));
        const seconds = await secondsOf(async () => {
          await site.thaw();
          await catchUp(site);
        });
        run.book.add('tables', `${count} tables: seconds for ${changes} changes`, site.name, seconds, 's');
      }
    }
    for (const site of sites) {
      const wrong = await difference(site, setup.tables);
      if (wrong) run.book.fail('tables', site.name, wrong);
    }
  });
}

/** Drain of 100,000 changes over 1, 100 and 1,000 tables (quick: 2,000 over 20). */
export const tables: Subject = {
  name: 'tables',
  measure: async (run: Run) => {
    const counts = run.quick ? [20] : [1, 100, 1000];
    const changes = run.quick ? 2000 : 100_000;
    for (const count of counts) await oneCount(run, count, changes);
    run.book.addGrowth(
      'tables',
      { drawing: 'tables', what: `seconds for ${changes} changes`, across: 'captured tables' },
      counts.map((count) => [count, `${count} tables: seconds for ${changes} changes`]),
    );
  },
};
