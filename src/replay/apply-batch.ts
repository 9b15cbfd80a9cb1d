/** Apply a staged batch to the tables of this node, inside the target's open transaction. */
import type pg from 'pg';
import type { Session } from '../db/session.ts';
import { sqlstateOf } from '../db/sql-error.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { applyInOrder } from './event-order.ts';
import { parseEventType } from './event-type.ts';
import { applyWholeRows, deleteNet, insertNet, insertStaged, reduceToNet, updateNet } from './net-effect.ts';
import type { RowPlan, TableRoute } from './row-plan.ts';
import type { StagedGroup } from './staging.ts';

/** Rows written to one table and where they met something unexpected. */
export interface TableOutcome {
  inserted: number;
  updated: number;
  deleted: number;
  updateMissing: number;
  deleteMissing: number;
  insertFound: number;
}

/** What was done with a batch. */
export interface BatchOutcome {
  readonly tables: Map<string, TableOutcome>;
  /** Row events of tables that are not routed here. */
  readonly ignored: number;
  readonly inEventOrder: boolean;
}

/** Finds (and prepares, once per session) the plan for a table's rows of one shape. */
export type PlanFinder = (route: TableRoute, shape: string) => Promise<RowPlan>;

interface PlannedTable {
  readonly plan: RowPlan;
  /** Position among the table's shapes in this batch. */
  readonly turn: number;
  readonly insertsOnly: boolean;
  readonly first: bigint;
  readonly last: bigint;
  readonly afterEvent: string;
}

/** SQLSTATE class 23: the order of the events may be what satisfies the constraint. */
const isConstraintViolation = (error: unknown): boolean => sqlstateOf(error)?.startsWith('23') ?? false;

const newOutcome = (): TableOutcome => ({
  inserted: 0,
  updated: 0,
  deleted: 0,
  updateMissing: 0,
  deleteMissing: 0,
  insertFound: 0,
});

type Row = Record<string, unknown>;
const num = (row: Row | undefined, key: string): number => Number(row?.[key] ?? 0);

/**
 * Apply what is staged.
 * @param groups what the staging table holds
 * @param routes tables whose events are wanted, by logical name
 * @param findPlan plan of a table and shape
 * @returns counters per table; the caller stores them and the position in the same transaction
 * @throws the server's error when neither the net effect nor the events in order can be applied
 */
export async function applyBatch(
  target: Session,
  groups: readonly StagedGroup[],
  routes: ReadonlyMap<string, TableRoute>,
  findPlan: PlanFinder,
): Promise<BatchOutcome> {
  const tables = new Map<string, TableOutcome>();
  const outcomeOf = (route: TableRoute): TableOutcome => {
    const known = tables.get(route.tableName) ?? newOutcome();
    tables.set(route.tableName, known);
    return known;
  };
  const truncated = new Map<string, bigint>();
  const upstream = new Set<TableRoute>();
  const shapes = new Map<
    string,
    { route: TableRoute; shape: string; ops: Set<string>; first: bigint; last: bigint }
  >();
  let ignored = 0;
  for (const group of groups) {
    const type = parseEventType(group.type);
    if (type.kind === 'control') continue;
    if (type.kind === 'execute' || type.kind === 'unknown') {
      throw new KajaError(
        'apply.unhandled-event',
        `event type ${group.type.slice(0, 40)} in the queue is not known to this version`,
        {
          hint: 'install a newer kaja on this node',
        },
      );
    }
    const route = group.tableName === null ? undefined : routes.get(group.tableName);
    if (!route) {
      ignored += group.events;
    } else if (type.kind === 'truncate') {
      truncated.set(route.tableName, group.lastEvent);
    } else if (type.kind === 'upstream') {
      upstream.add(route);
    } else {
      const id = `${route.tableName}\n${type.shape}`;
      const known = shapes.get(id) ?? {
        route,
        shape: type.shape,
        ops: new Set<string>(),
        first: group.firstEvent,
        last: group.lastEvent,
      };
      known.ops.add(type.op);
      if (group.firstEvent < known.first) known.first = group.firstEvent;
      if (group.lastEvent > known.last) known.last = group.lastEvent;
      shapes.set(id, known);
    }
  }

  const planned: PlannedTable[] = [];
  const lastOfTable = new Map<string, { turn: number; last: bigint }>();
  let inEventOrder = upstream.size > 0;
  for (const one of [...shapes.values()].sort((a, b) => (a.first < b.first ? -1 : 1))) {
    const emptied = truncated.get(one.route.tableName);
    const before = lastOfTable.get(one.route.tableName);
    // Shapes of one table follow each other (a DDL waits for all writers); if they mix, only order can tell.
    if (before && before.last > one.first) inEventOrder = true;
    if (one.route.inEventOrder) inEventOrder = true;
    const turn = before ? before.turn + 1 : 0;
    lastOfTable.set(one.route.tableName, { turn, last: one.last });
    planned.push({
      plan: await findPlan(one.route, one.shape),
      turn,
      insertsOnly: one.ops.size === 1 && one.ops.has('I'),
      first: one.first,
      last: one.last,
      afterEvent: String(emptied ?? -1n),
    });
  }
  const empties = [...truncated.keys()].flatMap((name) => routes.get(name) ?? []);

  if (!inEventOrder) {
    for (const directInserts of planned.some((one) => one.insertsOnly) ? [true, false] : [false]) {
      const steps = setBasedSteps(planned, empties, directInserts, outcomeOf);
      if (steps.length === 0) break;
      try {
        await runSteps(target, steps);
        return { tables, ignored, inEventOrder };
      } catch (error) {
        if (!isConstraintViolation(error)) throw error;
        await target.query('rollback to savepoint kaja_apply');
        tables.clear();
        if (!directInserts) inEventOrder = true;
      }
    }
  }
  if (inEventOrder) {
    const plans = planned.map((one) => one.plan);
    if (plans.length > 0)
      await target.query(
        `insert into pg_temp.kaja_outcome (plan_id) values ${plans.map((plan) => `(${plan.id})`).join(', ')}`,
      );
    await target.query(
      applyInOrder(
        plans,
        empties.map((route) => ({ tableName: route.tableName, statement: route.empty })),
        [...upstream],
      ),
    );
    const counters = await target.query<Row>('select * from pg_temp.kaja_outcome');
    for (const row of counters) {
      const plan = plans.find((one) => one.id === Number(row.plan_id));
      if (!plan) continue;
      const outcome = outcomeOf(plan.route);
      outcome.inserted += num(row, 'inserted') + num(row, 'update_missing');
      outcome.updated += num(row, 'updated') + num(row, 'insert_found');
      outcome.deleted += num(row, 'deleted');
      outcome.updateMissing += num(row, 'update_missing');
      outcome.deleteMissing += num(row, 'delete_missing');
      outcome.insertFound += num(row, 'insert_found');
    }
  }
  return { tables, ignored, inEventOrder };
}

interface Step {
  readonly sql: string;
  readonly take?: (row: Row, affected: number) => void;
}

/** Statements of the set-based path: per turn deletes first (referencing tables first), then updates and inserts. */
function setBasedSteps(
  planned: readonly PlannedTable[],
  empties: readonly TableRoute[],
  directInserts: boolean,
  outcomeOf: (route: TableRoute) => TableOutcome,
): Step[] {
  const steps: Step[] = empties.map((route) => ({ sql: route.empty }));
  const byRank = [...planned].sort((a, b) => a.plan.route.rank - b.plan.route.rank);
  const turns = Math.max(-1, ...planned.map((one) => one.turn));
  for (let turn = 0; turn <= turns; turn++) {
    const now = byRank.filter((one) => one.turn === turn);
    const keyed = now.filter((one) => one.plan.route.style === 'key' && !(directInserts && one.insertsOnly));
    const expectations = new Map<
      RowPlan,
      { deletes: number; inserts: number; upserts: number; found: number; updated: number }
    >();
    for (const { plan, afterEvent } of keyed) {
      steps.push({
        sql: reduceToNet(plan, { afterEvent }),
        take: (row) =>
          expectations.set(plan, {
            deletes: num(row, 'deletes_expected'),
            inserts: num(row, 'inserts_expected'),
            upserts: num(row, 'upserts'),
            found: 0,
            updated: 0,
          }),
      });
    }
    for (const { plan } of [...keyed].reverse()) {
      steps.push(
        ...throughIndex(plan, {
          sql: deleteNet(plan),
          take: (row) => {
            const outcome = outcomeOf(plan.route);
            outcome.deleted += num(row, 'deleted');
            outcome.deleteMissing += (expectations.get(plan)?.deletes ?? 0) - num(row, 'deleted_expected');
          },
        }),
      );
    }
    for (const one of now) {
      const { plan } = one;
      const range = { afterEvent: one.afterEvent };
      if (plan.route.style === 'whole_row') {
        steps.push({
          sql: applyWholeRows(plan, range),
          take: (row) => {
            const outcome = outcomeOf(plan.route);
            outcome.inserted += num(row, 'inserted');
            outcome.deleted += num(row, 'deleted');
            outcome.deleteMissing += num(row, 'delete_missing');
          },
        });
        continue;
      }
      if (plan.route.style === 'insert_only' || (directInserts && one.insertsOnly)) {
        steps.push({
          sql: insertStaged(plan, range),
          take: (_row, affected) => {
            outcomeOf(plan.route).inserted += affected;
          },
        });
        continue;
      }
      steps.push(
        ...throughIndex(
          plan,
          {
            sql: updateNet(plan),
            take: (row) => {
              const outcome = outcomeOf(plan.route);
              const expected = expectations.get(plan);
              outcome.updated += num(row, 'updated');
              outcome.insertFound += num(row, 'insert_found');
              if (expected)
                Object.assign(expected, { found: num(row, 'insert_found'), updated: num(row, 'updated') });
            },
          },
          {
            sql: insertNet(plan),
            take: (row) => {
              const outcome = outcomeOf(plan.route);
              const expected = expectations.get(plan);
              outcome.inserted += num(row, 'inserted');
              // Rows that had to exist but had to be inserted. With a filter, rows may have begun to match.
              if (expected && plan.route.where === null)
                outcome.updateMissing += num(row, 'inserted') - (expected.inserts - expected.found);
            },
          },
        ),
      );
    }
  }
  return steps;
}

/** Go through the key's index row by row: the temporary tables have no statistics, and a scan of a big table would be the price of a wrong guess. */
function throughIndex(plan: RowPlan, ...steps: Step[]): Step[] {
  if (!plan.route.keyIndexed) return steps;
  return [
    {
      sql: 'set local enable_hashjoin = off; set local enable_mergejoin = off; set local enable_seqscan = off',
    },
    ...steps,
    { sql: 'set local enable_hashjoin = on; set local enable_mergejoin = on; set local enable_seqscan = on' },
  ];
}

/** Run all steps in one round trip after a savepoint, then hand out their results. */
async function runSteps(target: Session, steps: readonly Step[]): Promise<void> {
  const takes: (Step['take'] | undefined)[] = [undefined];
  const texts = ['savepoint kaja_apply'];
  for (const step of steps) {
    const parts = step.take ? [step.sql] : step.sql.split('; ');
    for (const part of parts) {
      texts.push(part);
      takes.push(step.take);
    }
  }
  const text = `${texts.join(';\n')};\nrelease savepoint kaja_apply`;
  const results = (await target.guard(() => target.client.query(text))) as unknown as pg.QueryResult[];
  takes.forEach((take, index) => {
    const result = results[index];
    if (take && result) take((result.rows[0] as Row | undefined) ?? {}, result.rowCount ?? 0);
  });
}
