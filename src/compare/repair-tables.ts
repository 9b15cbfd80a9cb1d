/** Makes tables of this node what they are on the provider, row by differing row. */
import { rm } from 'node:fs/promises';
import { copyBetween } from '../db/copy-stream.ts';
import type { Session } from '../db/session.ts';
import { sqlstateOf } from '../db/sql-error.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { type ApplySession, openApplySession } from '../replay/apply-session.ts';
import { readLocalTables } from '../replay/routes.ts';
import { failpoint } from '../runtime/failpoint.ts';
import type { CompareContext } from './compare-context.ts';
import { type CompareOutcome, compareTables, type TableComparison } from './compare-tables.ts';
import { fixFilePath, writeFixFile } from './fix-file.ts';
import { type Moment, reachMoment } from './moment.ts';
import {
  canUpdate,
  copyTheirs,
  countRemaining,
  createKeys,
  createTheirs,
  decide,
  deleteRows,
  insertRows,
  keepsForeignColumns,
  planRepair,
  type RepairPlan,
  updateRows,
} from './repair-plan.ts';

/** What to repair, and how. */
export interface RepairRequest {
  /** Names or patterns; none: all local tables. */
  readonly tables: readonly string[];
  /** Change rows; else only write SQL files. */
  readonly apply: boolean;
  /** Condition over the provider's columns, or null. */
  readonly where: string | null;
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

interface Work {
  readonly plan: RepairPlan;
  readonly rank: number;
  inserts: number;
  updates: number;
  deletes: number;
  remaining: number;
  file: string | null;
}

/**
 * Compare, and repair what differs. While rows are changed the worker stands still, so that nothing newer is overwritten.
 * @throws KajaError state-refused (exit code 2) when the worker does not come; others of the servers, with that transaction undone
 */
export async function repairTables(
  context: CompareContext,
  request: RepairRequest,
): Promise<{ outcome: CompareOutcome; repairs: TableRepair[] }> {
  const { location, applicationName, applyRole, signal } = context;
  const applier = await openApplySession(location, applicationName, applyRole, signal);
  try {
    const works: Work[] = [];
    const ranks = new Map(
      (await readLocalTables(applier.session, context.queue, applier.role)).map((table) => [
        table.tableName,
        table.route?.rank ?? 0,
      ]),
    );
    const outcome = await compareTables(context, {
      tables: request.tables,
      countOnly: false,
      sql: '',
      format: '%(cnt)s rows, checksum=%(chksum)s',
      force: false,
      show: 0,
      conditions: request.where === null ? [] : [request.where],
      onDifferent: async (subject, moment) => {
        const plan = planRepair(subject, works.length);
        await applier.session.query(createKeys(plan));
        await copyBetween({
          from: moment.here[0] as Session,
          fromSql: 'copy (select k from pg_temp.kaja_diff) to stdout',
          to: applier.session,
          toSql: `copy ${plan.keys} (k) from stdin`,
          signal,
        });
        const rank = ranks.get(subject.tableName) ?? 0;
        works.push({ plan, rank, inserts: 0, updates: 0, deletes: 0, remaining: 0, file: null });
      },
    });
    if (!request.apply)
      for (const table of outcome.tables)
        await rm(fixFilePath(request.directory, table.destName), { force: true });
    if (works.length > 0) await repairAtMoment(context, request, applier, works);
    const repairs = outcome.tables.map((table) => toRepair(table, works));
    for (const one of repairs) tellResult(context, one);
    return { outcome, repairs };
  } finally {
    await applier.session.close();
  }
}

async function repairAtMoment(
  context: CompareContext,
  request: RepairRequest,
  { session, role }: ApplySession,
  works: readonly Work[],
): Promise<void> {
  const moment = await reachMoment(context, { readers: 1, readersHere: 0, keep: true, force: false });
  try {
    if (!request.apply) {
      await session.transaction(
        async () => {
          await checkPosition(context, session, moment, false);
          for (const { plan } of works) await prepare(context, session, moment, plan, false);
          // What is read from here on is this transaction's snapshot.
          await moment.release();
          for (const work of works) await writeFile(context, session, request.directory, work);
        },
        { isolation: 'repeatable read' },
      );
      return;
    }
    // Without the right to switch foreign keys off all tables change together, in the order the keys want.
    const groups = role === 'replica' ? works.map((work) => [work]) : [works];
    for (const group of groups) await session.transaction(() => applyGroup(context, session, moment, group));
  } finally {
    await moment.close();
  }
}

async function applyGroup(
  context: CompareContext,
  session: Session,
  moment: Moment,
  group: readonly Work[],
): Promise<void> {
  await checkPosition(context, session, moment, true);
  for (const { plan } of group) await prepare(context, session, moment, plan, true);
  await session.query('savepoint kaja_repair');
  try {
    await change(session, group, true);
  } catch (error) {
    // Rows that exchange unique values cannot pass each other by UPDATE; leaving and coming back they can.
    const lossless = group.every(({ plan }) => !keepsForeignColumns(plan));
    if (!sqlstateOf(error)?.startsWith('23') || !lossless) throw error;
    await session.query('rollback to savepoint kaja_repair');
    await change(session, group, false);
  }
  for (const work of group)
    work.remaining = Number((await session.value<bigint>(countRemaining(work.plan))) ?? 0n);
  failpoint('repair-applied');
}

/** Deletes, referencing tables first; then updates and inserts, referenced tables first. */
async function change(session: Session, group: readonly Work[], update: boolean): Promise<void> {
  const ranked = [...group].sort((a, b) => a.rank - b.rank);
  const updates = (work: Work): boolean => update && canUpdate(work.plan);
  const removed = new Map<Work, number>();
  for (const work of [...ranked].reverse())
    removed.set(work, await session.execute(deleteRows(work.plan, updates(work))));
  for (const work of ranked) {
    const sql = updates(work) ? updateRows(work.plan) : undefined;
    work.updates = sql ? await session.execute(sql) : 0;
    const inserted = await session.execute(insertRows(work.plan, updates(work)));
    // A row that left and came back was updated.
    const gone = removed.get(work) ?? 0;
    const replaced = updates(work) ? 0 : await countReplaced(session, work.plan);
    work.updates += replaced;
    work.inserts = inserted - replaced;
    work.deletes = gone - replaced;
  }
}

const countReplaced = async (session: Session, plan: RepairPlan): Promise<number> =>
  Number(
    await session.value<bigint>(
      `select count(*) from ${plan.steps} where sid is not null and tid is not null`,
    ),
  );

/** The worker must stand at the moment's tick; locked, it cannot even go on when the hold expires. */
async function checkPosition(
  context: CompareContext,
  session: Session,
  moment: Moment,
  lock: boolean,
): Promise<void> {
  const position = await session.value<bigint>(
    `select last_tick_id from pgq_node.local_state where queue_name = $1 and consumer_name = $2${lock ? ' for update' : ''}`,
    [context.queue, context.consumer],
  );
  if (position !== moment.tick) {
    throw new KajaError('state-refused', `worker did not stay at tick ${moment.tick}`, {
      exitCode: 2,
      hint: 'try again',
    });
  }
}

/** Fetch the provider's rows of the differing keys, read ours, decide. */
async function prepare(
  context: CompareContext,
  session: Session,
  moment: Moment,
  plan: RepairPlan,
  lock: boolean,
): Promise<void> {
  const provider = moment.provider[0] as Session;
  const { signal } = context;
  await provider.query('delete from pg_temp.kaja_key');
  await copyBetween({
    from: session,
    fromSql: `copy (select k from ${plan.keys}) to stdout`,
    to: provider,
    toSql: 'copy pg_temp.kaja_key (k) from stdin',
    signal,
  });
  await provider.query('analyze pg_temp.kaja_key');
  await session.query(createTheirs(plan));
  const columns = ['k', 'h', ...plan.written.map((column) => column.staged)];
  await copyBetween({
    from: provider,
    fromSql: copyTheirs(plan),
    to: session,
    toSql: `copy ${plan.theirs} (${columns.join(', ')}) from stdin`,
    signal,
  });
  await session.query(`analyze ${plan.theirs}; ${decide(plan, lock)}`);
}

async function writeFile(
  context: CompareContext,
  session: Session,
  directory: string,
  work: Work,
): Promise<void> {
  const { plan } = work;
  const path = fixFilePath(directory, plan.subject.destName);
  const counts = await session.one<{ inserts: number; updates: number; deletes: number }>(
    `select count(*) filter (where tid is null)::int as inserts, count(*) filter (where sid is null)::int as deletes,
            count(*) filter (where sid is not null and tid is not null)::int as updates from ${plan.steps}`,
  );
  Object.assign(work, counts, { remaining: counts.inserts + counts.updates + counts.deletes });
  if (work.remaining === 0) return;
  const statements = await writeFixFile(session, plan, path);
  work.file = path;
  context.log.info(`${path}: ${statements} statements`);
}

function toRepair(table: TableComparison, works: readonly Work[]): TableRepair {
  const work = works.find(({ plan }) => plan.subject.tableName === table.tableName);
  return {
    tableName: table.tableName,
    destName: table.destName,
    sourceRows: table.sourceRows ?? 0n,
    destRows: table.destRows ?? 0n,
    inserts: work?.inserts ?? 0,
    updates: work?.updates ?? 0,
    deletes: work?.deletes ?? 0,
    remaining: work?.remaining ?? 0,
    file: work?.file ?? null,
  };
}

function tellResult({ log }: CompareContext, one: TableRepair): void {
  log.info(
    `finished ${one.destName}: src: ${one.sourceRows} rows, dst: ${one.destRows} rows, missed: ${one.inserts} inserts, ${one.updates} updates, ${one.deletes} deletes`,
  );
  if (one.remaining > 0) log.warn(`${one.destName}: ${one.remaining} rows still differ`);
}
