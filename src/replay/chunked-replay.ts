/**
 * Brings a batch from the provider straight into the tables, a piece at a time, inside the target's open transaction. While one
 * piece is applied the next is read.
 */
import type { Pipeline } from '../db/pipeline.ts';
import type { PlanFinder } from './batch-contents.ts';
import { type EventStream, NeedsStagingSignal } from './event-stream.ts';
import type { ControlEvent } from './replay-events.ts';
import type { RowPlan, TableRoute } from './row-plan.ts';
import { planSmallBatch } from './small-batch.ts';
import { addOutcome, Outcomes, type TableOutcome } from './table-outcome.ts';

/** What was replayed. */
export interface ChunksReplayed {
  /** Counters per table, not stored yet. */
  readonly tables: ReadonlyMap<string, TableOutcome>;
  readonly events: number;
  /** Quiet news about the set, in order; the caller carries them out. */
  readonly control: readonly ControlEvent[];
}

/**
 * Apply events piece by piece. Each piece gives the state its events give in order, so all of them do.
 * @param events read to their end, unless this throws
 * @param pipeline of the target, which is in a transaction
 * @param findPlans must not use the session that the events come from, which is busy; undefined when it would have to
 * @throws NeedsStagingSignal; the server's error when a constraint is in the way
 */
export async function replayChunks(
  events: EventStream,
  pipeline: Pipeline,
  routes: ReadonlyMap<string, TableRoute>,
  findPlans: (...of: Parameters<PlanFinder>) => Promise<RowPlan[] | undefined>,
): Promise<ChunksReplayed> {
  const total = new Outcomes();
  const control: ControlEvent[] = [];
  let count = 0;
  let applying: Promise<void> = Promise.resolve();
  for (let rows = await events.next(); rows; rows = await events.next()) {
    const piece = await planSmallBatch(rows, routes, async (wanted) => {
      const plans = await findPlans(wanted);
      if (!plans) throw new NeedsStagingSignal();
      return plans;
    });
    if (!piece) throw new NeedsStagingSignal();
    count += rows.length;
    control.push(...piece.control);
    await applying;
    applying = pipeline.run(piece.statements(null)).then((results) => {
      for (const [name, outcome] of piece.outcomes(results)) addOutcome(total.named(name), outcome);
    });
    // A failure is met at the next piece or at the end.
    applying.catch(() => {});
  }
  await applying;
  return { tables: total.tables, events: count, control };
}
