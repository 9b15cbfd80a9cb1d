/** What the compare job does: compares all its tables, or repairs them. */
import type { NodeSettings } from '../cascade/node-settings.ts';
import type { CompareContext, CompareSettings } from '../compare/compare-context.ts';
import { compareTables, resultOf } from '../compare/compare-tables.ts';
import { differenceCount } from '../compare/find-differences.ts';
import { repairTables } from '../compare/repair-tables.ts';
import type { JobFacts } from './job-record.ts';

/** Rows changed in one transaction. */
const BATCH_ROWS = 5000;

/** The ini's keys about the job, and what is needed to run it. */
export interface CompareJob {
  readonly settings: CompareSettings;
  readonly node: NodeSettings;
  readonly configFile: string;
  readonly tables: readonly string[];
  /** compare_sql and compare_fmt. */
  readonly sql: string;
  readonly format: string;
  readonly autoRepair: boolean;
  readonly deleteExtra: boolean;
  /** 0: any number. */
  readonly maxRows: number;
  readonly onFailure: string;
  /** Time of the schedule, milliseconds since 1970; null: started by hand or cron. */
  readonly dueMs: number | null;
  /** Called once with what counts a skipped time of the schedule. */
  readonly onSkippable?: ((skip: () => Promise<void>) => void) | undefined;
}

/** Compare. @param resume go on with a run that was cut short */
export async function compareAll(
  job: CompareJob,
  context: CompareContext,
  resume: boolean,
): Promise<JobFacts> {
  const outcome = await compareTables(quietly(context), 'compare', {
    tables: job.tables,
    countOnly: false,
    sql: job.sql,
    format: job.format,
    force: false,
    resume,
    show: 0,
  });
  const differing = outcome.tables.filter((one) => !one.equal);
  const rows = differing.map((one) => one.differences && differenceCount(one.differences));
  return {
    result: resultOf(outcome),
    reason: reasonOf(outcome.refused),
    tables: outcome.tables.length,
    different: differing.map((one) => one.destName),
    differentRows: rows.reduce<bigint | null>(
      (sum, one) => (sum === null || one === null ? null : sum + one),
      0n,
    ),
    repairedRows: 0n,
    compareRunId: outcome.runId,
  };
}

/** Repair what differs. */
export async function repairAll(job: CompareJob, context: CompareContext): Promise<JobFacts> {
  const { outcome, repairs } = await repairTables(quietly(context), {
    tables: job.tables,
    apply: true,
    where: null,
    deleteExtra: job.deleteExtra,
    maxRows: job.maxRows === 0 ? null : job.maxRows,
    batchRows: BATCH_ROWS,
    directory: process.cwd(),
  });
  const differing = outcome.tables.filter((one) => !one.equal);
  const repaired = repairs.reduce((sum, one) => sum + one.inserts + one.updates + one.deletes, 0);
  const found = resultOf(outcome);
  const left = repairs.some((one) => one.remaining > 0);
  const mended = outcome.refused.length > 0 ? 'not comparable' : 'repaired';
  return {
    result: found === 'different' && !left ? mended : found,
    reason: reasonOf(outcome.refused),
    tables: outcome.tables.length,
    different: differing.map((one) => one.destName),
    differentRows: differing.reduce(
      (sum, one) => sum + (one.differences ? differenceCount(one.differences) : 0n),
      0n,
    ),
    repairedRows: BigInt(repaired),
    compareRunId: outcome.runId,
  };
}

/** A job says that it began and how it ended; the rest is for -v. */
const quietly = (context: CompareContext): CompareContext =>
  context.log.isLevelEnabled('debug')
    ? context
    : { ...context, log: context.log.child({}, { level: 'warn' }) };

function reasonOf(
  refused: readonly { readonly tableName: string; readonly reason: string }[],
): string | null {
  const [first, ...others] = refused;
  if (!first) return null;
  return `${first.tableName}: ${first.reason}${others.length > 0 ? `, and ${others.length} more` : ''}`;
}
