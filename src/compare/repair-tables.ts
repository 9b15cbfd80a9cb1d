/** Makes tables of this node what they are on the provider, row by differing row. */
import { rm } from 'node:fs/promises';
import { copyBetween } from '../db/copy-stream.ts';
import type { Session } from '../db/session.ts';
import { type ApplySession, openApplySession } from '../replay/apply-session.ts';
import { readLocalTables } from '../replay/routes.ts';
import type { CompareContext } from './compare-context.ts';
import type { TableComparison } from './compare-one.ts';
import { type CompareOutcome, compareTables } from './compare-tables.ts';
import { differenceCount } from './find-differences.ts';
import { fixFilePath } from './fix-file.ts';
import { applyRepairs, type RepairWork, writeRepairs } from './repair-at-moment.ts';
import { createKeys, planRepair } from './repair-plan.ts';

/** What to repair, and how. */
export interface RepairRequest {
  /** Names or patterns; none: all local tables. */
  readonly tables: readonly string[];
  /** Change rows; else only write SQL files. */
  readonly apply: boolean;
  /** Condition over the provider's columns, or null. */
  readonly where: string | null;
  /** Delete rows that are only here. SQL files name them in any case. */
  readonly deleteExtra: boolean;
  /** A table with more differing rows is left alone; null: any number. */
  readonly maxRows: number | null;
  /** Rows changed in one transaction. */
  readonly batchRows: number;
  /** Where the SQL files go. */
  readonly directory: string;
}

/** What was done to one table. */
export interface TableRepair {
  readonly tableName: string;
  readonly destName: string;
  readonly sourceRows: bigint;
  readonly destRows: bigint;
  readonly inserts: number;
  readonly updates: number;
  readonly deletes: number;
  /** Keys whose rows still differ: all of them without `apply`. */
  readonly remaining: number;
  /** SQL file, when one was written. */
  readonly file: string | null;
}

/**
 * Compare, and repair what differs. While rows are changed the worker stands still, so that nothing newer is overwritten.
 * @throws KajaError state-refused (exit code 2) when the worker does not come; others of the servers, with that transaction undone
 */
export async function repairTables(
  context: CompareContext,
  request: RepairRequest,
): Promise<{ outcome: CompareOutcome; repairs: TableRepair[] }> {
  const { signal, log } = context;
  // Made ready while the tables are compared.
  const opened = openApplier(context);
  opened.catch(() => {});
  try {
    const works: RepairWork[] = [];
    let repairs: TableRepair[] = [];
    const outcome = await compareTables(context, 'repair', {
      tables: request.tables,
      countOnly: false,
      sql: '',
      format: '%(cnt)s rows, checksum=%(chksum)s',
      force: false,
      resume: false,
      show: 0,
      conditions: request.where === null ? [] : [request.where],
      onDifferent: async (subject, moment, found) => {
        const rows = differenceCount(found);
        if (request.maxRows !== null && rows > request.maxRows) {
          log.warn(
            `${subject.destName}: not repaired: ${rows} rows differ, more than --max-rows ${request.maxRows}`,
          );
          return;
        }
        const { applier, ranks } = await opened;
        const plan = planRepair(subject, works.length, request.deleteExtra || !request.apply);
        await applier.session.query(createKeys(plan));
        await copyBetween({
          from: moment.here[0] as Session,
          fromSql: 'copy (select k from pg_temp.kaja_diff) to stdout',
          to: applier.session,
          toSql: `copy ${plan.waiting} (k) from stdin`,
          signal,
        });
        const rank = ranks.get(subject.tableName) ?? 0;
        works.push({ plan, rank, inserts: 0, updates: 0, deletes: 0, remaining: 0, file: null });
      },
      after: async (run, tables) => {
        const { applier } = await opened;
        if (!request.apply)
          for (const table of tables)
            await rm(fixFilePath(request.directory, table.destName), { force: true });
        const batch = { runId: run.id, batchRows: request.batchRows };
        if (works.length > 0 && request.apply) await applyRepairs(context, batch, applier, works);
        else if (works.length > 0) await writeRepairs(context, request.directory, applier, works);
        repairs = tables.map((table) => toRepair(table, works));
        for (const one of repairs) {
          tellResult(context, request, one);
          if (request.apply) await run.repaired(one);
        }
        const left = repairs.some((one) => one.remaining > 0);
        return left ? 'different' : works.length > 0 ? 'repaired' : 'equal';
      },
    });
    return { outcome, repairs };
  } finally {
    const applier = await opened.catch(() => undefined);
    await applier?.applier.session.close();
  }
}

/** The session that changes rows, and the order in which foreign keys want tables to be changed. */
async function openApplier(
  context: CompareContext,
): Promise<{ applier: ApplySession; ranks: ReadonlyMap<string, number> }> {
  const { location, applicationName, applyRole, signal, queue } = context;
  const applier = await openApplySession(location, applicationName, applyRole, signal);
  try {
    const tables = await readLocalTables(applier.session, queue, applier.role);
    return { applier, ranks: new Map(tables.map((table) => [table.tableName, table.route?.rank ?? 0])) };
  } catch (error) {
    await applier.session.close();
    throw error;
  }
}

function toRepair(table: TableComparison, works: readonly RepairWork[]): TableRepair {
  const work = works.find(({ plan }) => plan.subject.tableName === table.tableName);
  return {
    tableName: table.tableName,
    destName: table.destName,
    sourceRows: table.sourceRows ?? 0n,
    destRows: table.destRows ?? 0n,
    inserts: work?.inserts ?? 0,
    updates: work?.updates ?? 0,
    deletes: work?.deletes ?? 0,
    remaining: work?.remaining ?? Number(table.differences ? differenceCount(table.differences) : 0),
    file: work?.file ?? null,
  };
}

function tellResult({ log }: CompareContext, request: RepairRequest, one: TableRepair): void {
  log.info(
    `finished ${one.destName}: src: ${one.sourceRows} rows, dst: ${one.destRows} rows, missed: ${one.inserts} inserts, ${one.updates} updates, ${one.deletes} deletes`,
  );
  if (one.remaining === 0) return;
  const hint =
    request.apply && !request.deleteExtra ? '; rows that are only here go with --delete-extra' : '';
  log.warn(`${one.destName}: ${one.remaining} rows still differ${hint}`);
}
