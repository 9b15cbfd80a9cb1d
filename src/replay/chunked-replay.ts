/**
 * Streams a batch from the provider straight into the tables, a piece at a time, inside the target's open transaction. While one
 * piece is applied the next is read. Memory holds two pieces, however big the batch is.
 */
import { type BinaryRow, BinaryRowParser } from '../db/binary-copy.ts';
import { copyOut } from '../db/copy-stream.ts';
import type { Pipeline } from '../db/pipeline.ts';
import type { Session } from '../db/session.ts';
import type { PlanFinder } from './batch-contents.ts';
import type { RowPlan, TableRoute } from './row-plan.ts';
import { planSmallBatch } from './small-batch.ts';
import { addOutcome, Outcomes, type TableOutcome } from './table-outcome.ts';

/** Pieces end here. Small ones reuse the memory of those before; fresh memory costs a server more than the work in it. */
const PIECE_EVENTS = 2_000;
const PIECE_BYTES = 1_048_576;
/** Rows beyond this size do not pass through memory. */
const MAX_ROW_BYTES = 16 * PIECE_BYTES;

/** Something in the batch wants all of it staged; the transaction has to be rolled back. */
export class NeedsStagingSignal extends Error {}

/**
 * Apply events piece by piece. Each piece gives the state its events give in order, so all of them do.
 * @param eventSql SELECT on the source that yields event columns, ordered by ev_id
 * @param pipeline of the target, which is in a transaction
 * @param findPlan must not use the source, which is busy; undefined when it would have to
 * @throws NeedsStagingSignal; the server's error when a constraint is in the way
 */
export async function replayChunks(
  source: Session,
  eventSql: string,
  pipeline: Pipeline,
  queue: string,
  routes: ReadonlyMap<string, TableRoute>,
  findPlan: (...of: Parameters<PlanFinder>) => Promise<RowPlan | undefined>,
): Promise<{ tables: Map<string, TableOutcome>; events: number }> {
  const total = new Outcomes();
  const parser = new BinaryRowParser();
  let rows: BinaryRow[] = [];
  let bytes = 0;
  let events = 0;
  let applying: Promise<void> = Promise.resolve();
  let signal: NeedsStagingSignal | undefined;
  const needStaging = (): NeedsStagingSignal => {
    signal = new NeedsStagingSignal();
    return signal;
  };
  const apply = async (): Promise<void> => {
    const piece = await planSmallBatch(queue, rows, routes, async (route, shape) => {
      const plan = await findPlan(route, shape);
      if (!plan) throw needStaging();
      return plan;
    });
    if (!piece) throw needStaging();
    events += rows.length;
    rows = [];
    bytes = 0;
    await applying;
    applying = pipeline.run(piece.statements).then((results) => {
      for (const [name, outcome] of piece.outcomes(results)) addOutcome(total.named(name), outcome);
    });
    // A failure is met at the next piece or at the end.
    applying.catch(() => {});
  };
  await copyOut(
    source,
    `copy (select ev_id, ev_type, ev_data, ev_extra1 from (${eventSql}) e) to stdout (format binary)`,
    async (data) => {
      bytes += data.length;
      for (const row of parser.push(data)) {
        rows.push(row);
        if (rows.length >= PIECE_EVENTS) await apply();
      }
      if (parser.needed > MAX_ROW_BYTES) throw needStaging();
      if (bytes >= PIECE_BYTES && rows.length > 0) await apply();
    },
  ).catch((error: unknown) => {
    // Sessions turn what passes through them into errors for people.
    throw signal ?? error;
  });
  if (rows.length > 0) await apply();
  await applying;
  return { tables: total.tables, events };
}
