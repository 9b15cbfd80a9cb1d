/** `kaja CONFIG.ini jobs`: what runs when, and how it ended the last time. */

import { workerRuns } from '../compare/hold.ts';
import { createCalendar } from '../config/cron-calendar.ts';
import { type JobRunRow, readJobRuns } from '../jobs/job-history.ts';
import { localTime, zoneOf } from '../jobs/job-times.ts';
import { COMPARE_JOB } from '../jobs/run-job.ts';
import { type CommandContext, defineCommand, text } from './command.ts';
import { countOption } from './compare-options.ts';
import { withTableNode } from './table-node.ts';

/** The descriptor. */
export const jobs = defineCommand({
  name: 'jobs',
  args: '',
  summary: 'show the jobs of this node: when they run, and how they ended',
  details:
    'Also while no worker runs. Times are those of job_timezone. A result is equal, different, repaired, not comparable, failed,\n' +
    'interrupted (stopped, or its process died), missed (no worker was there) or skipped (another run was still going on).',
  options: [{ flags: '--last <n>', help: 'list the newest runs instead' }],
  section: 'londiste',
  async run(ctx) {
    const last = countOption(ctx, 'last');
    await withTableNode(ctx, async ({ here, queue }) => {
      const runs = await readJobRuns(here, queue, last ?? 1);
      if (text(ctx.options, 'last') !== undefined) printRuns(ctx, runs);
      else printJobs(ctx, runs[0]);
      const { compareSchedule, consumerName } = ctx.config;
      if (compareSchedule !== '' && !(await workerRuns(here, queue, consumerName)))
        ctx.log.warn(`worker ${consumerName} is not running: nothing starts the jobs`);
    });
  },
});

function printJobs(ctx: CommandContext<'londiste'>, run: JobRunRow | undefined): void {
  const { compareSchedule, jobTimezone } = ctx.config;
  const next =
    compareSchedule === '' ? undefined : createCalendar(compareSchedule, jobTimezone).next(Date.now());
  if (ctx.json) {
    ctx.printJson([
      {
        job: COMPARE_JOB,
        schedule: compareSchedule === '' ? null : compareSchedule,
        timezone: zoneOf(jobTimezone),
        next_run: next === undefined ? null : new Date(next).toISOString(),
        missed: ctx.config.jobMissed,
        tables: ctx.config.compareTables,
        auto_repair: ctx.config.compareAutoRepair,
        last_run: run ? toJson(run) : null,
      },
    ]);
    return;
  }
  ctx.printTable(
    'Jobs',
    ['job', 'schedule', 'zone', 'next_run', 'last_start', 'by', 'seconds', 'result', 'repaired'],
    [
      [
        COMPARE_JOB,
        compareSchedule,
        zoneOf(jobTimezone),
        next === undefined ? 'never' : localTime(next, jobTimezone),
        run?.started ? localTime(run.started, jobTimezone) : '',
        run?.started_by ?? '',
        run?.seconds?.toFixed(1) ?? '',
        run ? resultText(run, jobTimezone) : '',
        run?.repaired_rows ?? '',
      ],
    ],
  );
}

function printRuns(ctx: CommandContext<'londiste'>, runs: readonly JobRunRow[]): void {
  const { jobTimezone } = ctx.config;
  const at = (ms: number | null): string => (ms === null ? '' : localTime(ms, jobTimezone));
  if (ctx.json) {
    ctx.printJson(runs.map(toJson));
    return;
  }
  ctx.printTable(
    'Runs',
    ['job', 'due', 'started', 'by', 'seconds', 'tables', 'result', 'repaired', 'skipped', 'compare_run'],
    runs.map((run) => [
      run.job,
      at(run.due),
      at(run.started),
      run.started_by,
      run.seconds?.toFixed(1) ?? '',
      run.tables ?? '',
      resultText(run, jobTimezone),
      run.repaired_rows ?? '',
      run.skipped,
      run.compare_run_id ?? '',
    ]),
  );
}

/** `different: 3 rows in public.orders`, `failed: why`, `missed at 03:00`. */
function resultText(run: JobRunRow, timezone: string): string {
  const rows = `${run.different_rows ?? 'unknown'} rows in ${run.different_tables?.join(', ')}`;
  if (run.result === 'different' || run.result === 'repaired') return `${run.result}: ${rows}`;
  if (run.started === null && run.due !== null)
    return `${run.result} at ${localTime(run.due, timezone)}: ${run.reason}`;
  return run.reason === null ? run.result : `${run.result}: ${run.reason}`;
}

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

/** A run under the names of the JSON output. */
const toJson = ({ due, started, finished, ...rest }: JobRunRow): Record<string, unknown> => ({
  ...rest,
  due_at: iso(due),
  started_at: iso(started),
  finished_at: iso(finished),
});
