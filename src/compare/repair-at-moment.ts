/** The writing part of a repair: with the worker standing at a tick, rows of this node are changed or statements written. */
import { copyBetween } from '../db/copy-stream.ts';
import type { Session } from '../db/session.ts';
import { sqlstateOf } from '../db/sql-error.ts';
import { KajaError } from '../errors/kaja-error.ts';
import type { ApplySession } from '../replay/apply-session.ts';
import { failpoint } from '../runtime/failpoint.ts';
import type { CompareContext } from './compare-context.ts';
import { fixFilePath, writeFixFile } from './fix-file.ts';
import { type Moment, reachMoment } from './moment.ts';
import {
  canUpdate,
  copyTheirs,
  countRemaining,
  createTheirs,
  decide,
  deleteRows,
  insertRows,
  keepsForeignColumns,
  logSteps,
  type RepairPlan,
  takeKeys,
  updateRows,
} from './repair-plan.ts';

/** A table to repair, and what was done to it. */
export interface RepairWork {
  readonly plan: RepairPlan;
  /** Position in foreign key order, referenced tables first. */
  readonly rank: number;
  inserts: number;
  updates: number;
  deletes: number;
  /** Keys whose rows still differ. */
  remaining: number;
  /** SQL file that was written. */
  file: string | null;
}

/** Where the changes are noted. */
export interface RepairRun {
  readonly runId: bigint;
  /** Keys repaired in one transaction. */
  readonly batchRows: number;
}

/**
 * Change the rows of the tables whose differing keys are known, batch by batch; the worker stands for each.
 * @throws KajaError state-refused (exit code 2) when the worker does not come or does not stay; then the batches before are done
 */
export async function applyRepairs(
  context: CompareContext,
  run: RepairRun,
  { session, role }: ApplySession,
  works: readonly RepairWork[],
): Promise<void> {
  // Without the right to switch foreign keys off all tables change together, in the order the keys want.
  const together = role !== 'replica';
  const limit = together ? Number.MAX_SAFE_INTEGER : run.batchRows;
  for (;;) {
    const batch: RepairWork[] = [];
    let rows = 0;
    for (const work of works) {
      const taken = rows < limit ? await take(session, work.plan, limit - rows) : 0;
      if (taken > 0) batch.push(work);
      rows += taken;
    }
    if (batch.length === 0) return;
    const moment = await momentFor(context, batch);
    try {
      const groups = together ? [batch] : batch.map((work) => [work]);
      for (const group of groups)
        await session.transaction(() => applyGroup(context, run, session, moment, group));
    } finally {
      await moment.close();
    }
  }
}

/**
 * Write SQL files for the tables whose differing keys are known.
 * @throws KajaError state-refused (exit code 2) when the worker does not come or does not stay
 */
export async function writeRepairs(
  context: CompareContext,
  directory: string,
  { session }: ApplySession,
  works: readonly RepairWork[],
): Promise<void> {
  for (const { plan } of works) await take(session, plan, Number.MAX_SAFE_INTEGER);
  const moment = await momentFor(context, works);
  try {
    await session.transaction(
      async () => {
        await checkPosition(context, session, moment, false);
        for (const { plan } of works) await prepare(context, session, moment, plan, false);
        // What is read from here on is this transaction's snapshot.
        await moment.release();
        for (const work of works) await writeFile(context, session, directory, work);
      },
      { isolation: 'repeatable read' },
    );
  } finally {
    await moment.close();
  }
}

const momentFor = (context: CompareContext, works: readonly RepairWork[]): Promise<Moment> =>
  reachMoment(context, {
    tables: works.map((work) => work.plan.subject.tableName),
    readers: 1,
    readersHere: 0,
    keep: true,
    force: false,
  });

async function take(session: Session, plan: RepairPlan, limit: number): Promise<number> {
  let rows = 0;
  for (const sql of takeKeys(plan, limit)) rows = await session.execute(sql);
  return rows;
}

async function applyGroup(
  context: CompareContext,
  run: RepairRun,
  session: Session,
  moment: Moment,
  group: readonly RepairWork[],
): Promise<void> {
  await checkPosition(context, session, moment, true);
  for (const { plan } of group) {
    await prepare(context, session, moment, plan, true);
    const { tableName, destName } = plan.subject;
    await session.execute(logSteps(plan), [run.runId, context.queue, tableName, destName]);
  }
  await session.query('savepoint kaja_repair');
  let counts: Counts[];
  try {
    counts = await change(session, group, true);
  } catch (error) {
    // Rows that exchange unique values cannot pass each other by UPDATE; leaving and coming back they can.
    const lossless = group.every(({ plan }) => !keepsForeignColumns(plan));
    if (!sqlstateOf(error)?.startsWith('23') || !lossless) throw error;
    await session.query('rollback to savepoint kaja_repair');
    counts = await change(session, group, false);
  }
  for (const { work, inserts, updates, deletes } of counts) {
    work.inserts += inserts;
    work.updates += updates;
    work.deletes += deletes;
    work.remaining += Number((await session.value<bigint>(countRemaining(work.plan))) ?? 0n);
  }
  failpoint('repair-applied');
}

interface Counts {
  readonly work: RepairWork;
  readonly inserts: number;
  readonly updates: number;
  readonly deletes: number;
}

/** Deletes, referencing tables first; then updates and inserts, referenced tables first. */
async function change(session: Session, group: readonly RepairWork[], update: boolean): Promise<Counts[]> {
  const ranked = [...group].sort((a, b) => a.rank - b.rank);
  const updates = (work: RepairWork): boolean => update && canUpdate(work.plan);
  const removed = new Map<RepairWork, number>();
  for (const work of [...ranked].reverse())
    removed.set(work, await session.execute(deleteRows(work.plan, updates(work))));
  const counts: Counts[] = [];
  for (const work of ranked) {
    const sql = updates(work) ? updateRows(work.plan) : undefined;
    const updated = sql ? await session.execute(sql) : 0;
    const inserted = await session.execute(insertRows(work.plan, updates(work)));
    // A row that left and came back was updated.
    const gone = removed.get(work) ?? 0;
    const replaced = updates(work) ? 0 : await countReplaced(session, work.plan);
    counts.push({
      work,
      updates: updated + replaced,
      inserts: inserted - replaced,
      deletes: gone - replaced,
    });
  }
  return counts;
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
  work: RepairWork,
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
