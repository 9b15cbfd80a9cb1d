/** Memory and CPU of kaja's processes: idle, and while a backlog is drained. */
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { kajaSite } from '../suite/kaja-site.ts';
import { runLoad } from '../suite/load.ts';
import { LOGIN_TABLES, login, loginTables } from '../suite/logins.ts';
import { query, secondsOf } from '../suite/query.ts';
import { catchUp, difference, MARKER, type Processes, withMarker } from '../suite/site.ts';
import type { Run, Subject } from '../suite/subject.ts';

/* Linux counts in hundredths of a second, whatever the kernel's own clock. */
const TICKS_PER_SECOND = 100;

/** Seconds of CPU a process has used. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Field of /proc/<pid>/status in MB: VmRSS now, VmHWM at most. */
const megabytes = (pid: number, field: 'VmRSS' | 'VmHWM'): number =>
  Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

async function watch(
  run: Run,
  state: string,
  processes: Processes,
  work: () => Promise<unknown>,
): Promise<void> {
  const pids = Object.entries(processes);
  const before = pids.map(([, pid]) => cpuSeconds(pid));
  const startedMs = performance.now();
  await work();
  const seconds = (performance.now() - startedMs) / 1000;
  for (const [at, [name, pid]] of pids.entries()) {
    const used = cpuSeconds(pid) - (before[at] ?? 0);
    run.book.add('processes', `${state} CPU, ${name}`, 'kaja', (100 * used) / seconds, '%');
    const field = state === 'idle' ? 'VmRSS' : 'VmHWM';
    run.book.add('processes', `${state} RSS, ${name}`, 'kaja', megabytes(pid, field), 'MB');
  }
}

/** Two processes: root worker with ticker, leaf worker. */
export const processes: Subject = {
  name: 'processes',
  measure: async (run: Run) => {
    if (process.platform !== 'linux') return run.note('only on Linux');
    const users = run.quick ? 20_000 : 200_000;
    const setup = loginTables(users);
    const site = await kajaSite(run.servers, 'bench_processes', withMarker(setup.schema));
    try {
      await query(site.provider, setup.seed);
      await site.publish([...setup.tables, MARKER]);
      await site.subscribe([...setup.tables, MARKER]);
      for (let round = 1; round <= run.rounds; round++) {
        run.note(`round ${round}`);
        await catchUp(site);
        const status = await secondsOf(() => site.onLeaf([0], 'status'));
        run.book.add('processes', 'CLI status', 'kaja', status, 's');
        await pause(2000);
        await watch(run, 'idle', site.processes(), () => pause(run.quick ? 10_000 : 20_000));
        await site.pause();
        const transactions = run.quick ? 5000 : 100_000;
        await runLoad(site.provider, login(users), 2, { transactions }, '-c synchronous_commit=off');
        await site.resume();
        await watch(run, 'draining', site.processes(), () => catchUp(site));
      }
      const wrong = await difference(site, LOGIN_TABLES);
      if (wrong) run.book.fail('processes', 'kaja', wrong);
    } finally {
      await site.close();
    }
  },
};
