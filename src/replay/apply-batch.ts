/** Apply a staged batch to the tables of this node, inside the target's open transaction. */
import type pg from 'pg';
import type { Session } from '../db/session.ts';
import { sqlstateOf } from '../db/sql-error.ts';
import { type BatchContents, type PlanFinder, readContents } from './batch-contents.ts';
import { applyInOrder, upstreamOutcome } from './event-order.ts';
import type { TableRoute } from './row-plan.ts';
import { methodsFor, type Step, setBasedSteps } from './set-based-steps.ts';
import { indexStaging, type StagedGroup } from './staging.ts';
import { num, Outcomes, type ResultRow, type TableOutcome } from './table-outcome.ts';

/** What was done with a batch. */
export interface BatchOutcome {
  readonly tables: ReadonlyMap<string, TableOutcome>;
  /** Row events of tables that are not routed here. */
  readonly ignored: number;
  readonly inEventOrder: boolean;
}

/** SQLSTATE class 23: another way or order of writing may satisfy the constraint. */
const isConstraintViolation = (error: unknown): boolean => sqlstateOf(error)?.startsWith('23') ?? false;

/**
 * Apply what is staged: set-based if that gives the state that the events in order would give, else event by event.
 * @param groups what the staging table holds
 * @param routes tables whose events are wanted, by logical name
 * @param findPlans plans of tables and shapes
 * @returns counters per table; the caller stores them and the position in the same transaction
 * @throws the server's error when no way of writing satisfies the constraints of this node
 */
export async function applyBatch(
  target: Session,
  groups: readonly StagedGroup[],
  routes: ReadonlyMap<string, TableRoute>,
  findPlans: PlanFinder,
): Promise<BatchOutcome> {
  const contents = await readContents(groups, routes, findPlans);
  const { ignored } = contents;
  await indexStaging(target, contents.tables.length);
  const needsOrder =
    contents.upstream.length > 0 || contents.tables.some((table) => table.route.inEventOrder);
  for (const method of needsOrder ? [] : methodsFor(contents)) {
    const outcomes = new Outcomes();
    try {
      await runSteps(target, setBasedSteps(contents, method, outcomes));
      return { tables: outcomes.tables, ignored, inEventOrder: false };
    } catch (error) {
      if (!isConstraintViolation(error)) throw error;
      await target.query('rollback to savepoint kaja_apply');
    }
  }
  return { tables: await applyOneByOne(target, contents), ignored, inEventOrder: true };
}

async function applyOneByOne(target: Session, contents: BatchContents): Promise<Map<string, TableOutcome>> {
  const outcomes = new Outcomes();
  const plans = contents.tables.flatMap((table) => table.plans);
  const counted = new Map<number, TableRoute>([
    ...plans.map((plan): [number, TableRoute] => [plan.id, plan.route]),
    ...contents.upstream.map((route, index): [number, TableRoute] => [upstreamOutcome(index), route]),
  ]);
  const ids = [...counted.keys()].map((id) => `(${id})`).join(', ');
  if (ids !== '') await target.query(`insert into pg_temp.kaja_outcome (plan_id) values ${ids}`);
  const truncates = contents.truncated.map((route) => ({
    tableName: route.tableName,
    statement: route.empty,
  }));
  await target.query(applyInOrder(plans, truncates, contents.upstream));
  for (const row of await target.query('select * from pg_temp.kaja_outcome')) {
    const route = counted.get(Number(row.plan_id));
    if (!route) continue;
    const outcome = outcomes.of(route);
    outcome.inserted += num(row, 'inserted') + num(row, 'update_missing');
    outcome.updated += num(row, 'updated') + num(row, 'insert_found');
    outcome.deleted += num(row, 'deleted');
    outcome.updateMissing += num(row, 'update_missing');
    outcome.deleteMissing += num(row, 'delete_missing');
    outcome.insertFound += num(row, 'insert_found');
  }
  return outcomes.tables;
}

/** Run all steps in one round trip after a savepoint, then hand out their results. */
async function runSteps(target: Session, steps: readonly Step[]): Promise<void> {
  const text = [
    'savepoint kaja_apply',
    ...steps.map((step) => step.sql),
    'release savepoint kaja_apply',
  ].join(';\n');
  const results = (await target.guard(() =>
    target.client.query(text),
  )) as unknown as pg.QueryResult<ResultRow>[];
  steps.forEach((step, n) => {
    const result = results[n + 1];
    if (result) step.take?.(result.rows, result.rowCount ?? 0);
  });
}
