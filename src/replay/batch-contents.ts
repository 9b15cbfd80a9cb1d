/** Sorts out what a staged batch holds for the tables of this node. */
import { KajaError } from '../errors/kaja-error.ts';
import { parseEventType } from './event-type.ts';
import type { RowPlan, TableRoute } from './row-plan.ts';
import type { StagedGroup } from './staging.ts';

/** Rows of one shape of a table. */
export interface PlanRequest {
  readonly route: TableRoute;
  readonly shape: string;
}

/** Finds (and prepares, once per session) the plans for rows of these shapes, in the same order. */
export type PlanFinder = (wanted: readonly PlanRequest[]) => Promise<RowPlan[]>;

/** A table's row events. Several shapes at once are rare: a DDL in the batch, partitions with other column orders. */
export interface TableBatch {
  readonly route: TableRoute;
  readonly plans: readonly RowPlan[];
  readonly insertsOnly: boolean;
  /** Rows may go: deletes, or updates of rows that a filter then leaves out. */
  readonly removes: boolean;
  /** Events up to this one were overtaken by a TRUNCATE. */
  readonly afterEvent: string;
}

/** What there is to apply. */
export interface BatchContents {
  readonly tables: readonly TableBatch[];
  /** Tables to empty first. */
  readonly truncated: readonly TableRoute[];
  /** Tables with events in the formats of Londiste's own triggers. */
  readonly upstream: readonly TableRoute[];
  /** Row events of tables that are not routed here. */
  readonly ignored: number;
}

interface Draft {
  readonly route: TableRoute;
  readonly shapes: Set<string>;
  readonly ops: Set<string>;
}

/**
 * Assign the groups to tables and find their plans.
 * @throws KajaError apply.unhandled-event for a type nobody knows
 */
export async function readContents(
  groups: readonly StagedGroup[],
  routes: ReadonlyMap<string, TableRoute>,
  findPlans: PlanFinder,
): Promise<BatchContents> {
  const truncated = new Map<TableRoute, bigint>();
  const upstream = new Set<TableRoute>();
  const drafts = new Map<TableRoute, Draft>();
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
    if (!route) ignored += group.events;
    else if (type.kind === 'truncate') truncated.set(route, group.lastEvent);
    else if (type.kind === 'upstream') upstream.add(route);
    else {
      const draft = drafts.get(route) ?? { route, shapes: new Set<string>(), ops: new Set<string>() };
      draft.shapes.add(type.shape);
      draft.ops.add(type.op);
      drafts.set(route, draft);
    }
  }
  const plans = await findPlans(
    [...drafts.values()].flatMap(({ route, shapes }) => [...shapes].map((shape) => ({ route, shape }))),
  );
  const tables: TableBatch[] = [];
  let taken = 0;
  for (const { route, shapes, ops } of drafts.values()) {
    tables.push({
      route,
      plans: plans.slice(taken, taken + shapes.size),
      insertsOnly: ops.size === 1 && ops.has('I'),
      removes: ops.has('D') || route.where !== null,
      afterEvent: String(truncated.get(route) ?? -1n),
    });
    taken += shapes.size;
  }
  return { tables, truncated: [...truncated.keys()], upstream: [...upstream], ignored };
}
