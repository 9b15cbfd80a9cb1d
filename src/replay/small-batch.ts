/**
 * Small batches go from the provider to the tables in memory: few round trips and no temporary table, whose emptying costs more
 * at commit than all the rest. Values stay bytes; only event types and table names are read.
 */
import { type BinaryRow, textArray } from '../db/binary-copy.ts';
import type { Prepared, TextRows } from '../db/pipeline.ts';
import type { PlanFinder } from './batch-contents.ts';
import { type EventType, parseEventType } from './event-type.ts';
import type { ControlEvent } from './replay-events.ts';
import type { RowPlan, TableRoute } from './row-plan.ts';
import { applySmall, COUNTERS, insertSmall } from './small-batch-sql.ts';
import { Outcomes, type TableOutcome } from './table-outcome.ts';

const OPS = { I: Buffer.from('I'), U: Buffer.from('U'), D: Buffer.from('D') } as const;

/** With more tables their statements would not stay prepared, and all of them at work at once would need much memory. */
const MAX_TABLES = 2_000;

interface Draft {
  readonly route: TableRoute;
  readonly shape: string;
  readonly ops: Buffer[];
  readonly data: (Buffer | null)[];
  readonly kinds: Set<string>;
}

/** Statements that apply a small batch, and what their results mean. */
export interface SmallBatch {
  /** @param queue where the statements store the counters too; null: the caller does, see `saveOutcomes` */
  statements(queue: string | null): Prepared[];
  readonly tables: number;
  readonly events: number;
  /** Quiet news about the set, in order; the caller carries them out. */
  readonly control: readonly ControlEvent[];
  /** Row events of tables that are not routed here. */
  readonly ignored: number;
  /** @param results of `statements`, in the same order */
  outcomes(results: readonly TextRows[]): Map<string, TableOutcome>;
}

/**
 * Sort events that are here into statements.
 * @param events rows of anything, ev_type, ev_data, ev_extra1 in order
 * @param findPlans plans of tables and shapes; called outside the batch's transaction, so that temporary types stay
 * @returns undefined when the batch needs the general way: news that change the set's tables, TRUNCATE, tables without key or with firing
 *   triggers, very many tables, several shapes of one table, events in Londiste's formats, deletes among tables whose foreign keys are checked
 */
export async function planSmallBatch(
  events: readonly BinaryRow[],
  routes: ReadonlyMap<string, TableRoute>,
  findPlans: PlanFinder,
): Promise<SmallBatch | undefined> {
  const drafts = new Map<TableRoute, Draft>();
  const control: ControlEvent[] = [];
  let ignored = 0;
  let deletes = false;
  // Thousands of events have few types and tables, and mostly share the Buffers that say so.
  const types = new Map<Buffer | null, EventType>();
  const routesSeen = new Map<Buffer | null, TableRoute | undefined>();
  for (const [, typeBytes = null, data = null, nameBytes = null] of events) {
    const type = types.get(typeBytes) ?? parseEventType(typeBytes?.toString() ?? '');
    types.set(typeBytes, type);
    if (!routesSeen.has(nameBytes)) routesSeen.set(nameBytes, routes.get(nameBytes?.toString() ?? ''));
    if (type.kind === 'control' && type.quiet) {
      control.push(controlEvent(typeBytes, data, nameBytes));
      continue;
    }
    if (type.kind !== 'row') return undefined;
    const route = routesSeen.get(nameBytes);
    if (!route) {
      ignored++;
      continue;
    }
    const draft = drafts.get(route) ?? {
      route,
      shape: type.shape,
      ops: [],
      data: [],
      kinds: new Set<string>(),
    };
    if (route.style === 'whole_row' || route.inEventOrder || draft.shape !== type.shape) return undefined;
    if (route.style === 'insert_only' && type.op !== 'I') return undefined;
    draft.ops.push(OPS[type.op]);
    draft.data.push(data);
    draft.kinds.add(type.op);
    deletes ||= type.op === 'D';
    drafts.set(route, draft);
  }
  const tables = [...drafts.values()].sort((a, b) => a.route.rank - b.route.rank);
  if (tables.length > MAX_TABLES) return undefined;
  if (deletes && tables.some((table) => table.route.rank > 0)) return undefined;
  if (tables.some((table) => table.route.referenced && table.kinds.has('D'))) return undefined;
  const plans = await findPlans(tables);
  return {
    statements: (queue) =>
      tables.map(({ route, ops, data, kinds }, n) => {
        const plan = plans[n] as RowPlan;
        return {
          text:
            kinds.size === 1 && kinds.has('I') && (route.style === 'insert_only' || route.keyUnique)
              ? insertSmall(queue, plan)
              : applySmall(queue, plan, kinds.size === 1 && kinds.has('U')),
          values: [textArray(ops), textArray(data)],
        };
      }),
    tables: tables.length,
    events: events.length,
    control,
    ignored,
    outcomes: (results) => {
      const all = new Outcomes();
      tables.forEach(({ route }, n) => {
        const row = results[n]?.[0];
        const outcome = all.of(route);
        COUNTERS.forEach((name, at) => {
          outcome[name] = Number(row?.[at] ?? 0);
        });
      });
      return all.tables;
    },
  };
}

const controlEvent = (type: Buffer | null, data: Buffer | null, extra1: Buffer | null): ControlEvent => ({
  id: null,
  type: type?.toString() ?? '',
  data: data?.toString() ?? null,
  extra1: extra1?.toString() ?? null,
  extra2: null,
  extra3: null,
});
