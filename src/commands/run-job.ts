/** `kaja CONFIG.ini run-job compare`: the job of compare_schedule, now. */
import { nodeSettings } from '../cascade/node-settings.ts';
import { UsageError } from '../errors/kaja-error.ts';
import { jobParent } from '../jobs/job-process.ts';
import { COMPARE_JOB, runCompareJob } from '../jobs/run-job.ts';
import { defineCommand } from './command.ts';
import { compareSettings } from './compare-options.ts';

/** The descriptor. */
export const runJob = defineCommand({
  name: 'run-job',
  args: '<job>',
  summary: 'run a job of this node now: for system cron, and for you',
  details:
    'The only job is compare: it does what compare_tables, compare_auto_repair and the other keys of the ini say, waits for a\n' +
    'worker that catches up, keeps the result where jobs shows it, and runs job_on_failure. compare_schedule is not needed.\n' +
    'Exit code: 0 equal or repaired, 1 different, 2 something could not be compared, 7 another comparison or repair of this node is running.',
  options: [],
  section: 'londiste',
  async run(ctx) {
    const [name] = ctx.args;
    if (name !== COMPARE_JOB)
      throw new UsageError(`there is no job '${name}'`, { hint: `the only one is ${COMPARE_JOB}` });
    const parent = jobParent();
    const { config } = ctx;
    const settings = compareSettings(ctx);
    const signal = parent ? AbortSignal.any([ctx.signal, parent.gone]) : ctx.signal;
    const { facts, exitCode } = await runCompareJob({
      settings: {
        ...settings,
        signal,
        startedBy: parent ? 'schedule' : settings.startedBy,
        onProgress: settings.startedBy === 'hand' ? settings.onProgress : () => {},
      },
      node: nodeSettings(config),
      configFile: config.configFile,
      tables: config.compareTables,
      sql: config.compareSql,
      format: config.compareFmt,
      autoRepair: config.compareAutoRepair,
      deleteExtra: config.compareDeleteExtra,
      maxRows: config.compareMaxRows,
      onFailure: config.jobOnFailure,
      dueMs: parent?.dueMs ?? null,
      onSkippable: (skip) => parent?.onSkipped(() => void skip().catch(() => {})),
    });
    await parent?.ended();
    ctx.progress.clear();
    if (ctx.json && facts) {
      ctx.printJson({
        result: facts.result,
        reason: facts.reason,
        tables: facts.tables,
        different_tables: facts.different,
        different_rows: facts.differentRows,
        repaired_rows: facts.repairedRows,
        run_id: facts.compareRunId,
      });
    }
    return exitCode;
  },
});
