/** After the rows: the table's events, from the copy's tick up to near the worker's position. */
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { PlanCache } from '../replay/plan-finder.ts';
import { eventCondition, replayEvents } from '../replay/replay-events.ts';
import type { LocalTable } from '../replay/routes.ts';
import { failpoint } from '../runtime/failpoint.ts';
import { type CopyContext, copyConsumer, setTableState } from './copy-context.ts';

interface Batch {
  batch_id: bigint | null;
  cur_tick_id: bigint;
  prev_tick_id: bigint;
}

/**
 * Apply a table's events until few are left before the worker's position, then offer the table to the worker (`wanna-sync:<tick>`).
 * Position and rows change in one transaction (`kaja.table_copy.copy_tick`), so that it can be killed at any point.
 */
export async function catchUp(context: CopyContext, table: LocalTable, writer: Session): Promise<void> {
  const { queue } = context;
  const { route } = table;
  if (!route) throw new KajaError('table-missing', `table ${table.destName} does not exist on this node`);
  const provider = await context.openProvider(`copy ${table.tableName}`);
  const consumer = copyConsumer(context.consumer, table.tableName);
  const plans = new PlanCache(writer, () => provider, queue);
  try {
    for (;;) {
      const { at, worker } = await writer.one<{ at: bigint; worker: bigint }>(
        `select c.copy_tick as at, s.last_tick_id as worker from kaja.table_copy c
           join pgq_node.local_state s on s.queue_name = c.queue_name and s.consumer_name = $3
          where c.queue_name = $1 and c.table_name = $2`,
        [queue, table.tableName, context.consumer],
      );
      if (
        at >= worker ||
        (await eventsBetween(provider, queue, at, worker)) <= BigInt(context.batchMaxEvents)
      ) {
        failpoint('copy-caught-up');
        await setTableState(writer, context, table.tableName, `wanna-sync:${at}`);
        failpoint('copy-wanna-sync');
        return;
      }
      const batch = await provider.one<Batch>('select * from kaja.next_batch($1, $2, $3, $4, null)', [
        queue,
        consumer,
        BigInt(context.batchMaxEvents),
        1_000_000,
      ]);
      if (batch.batch_id === null) continue;
      if (batch.prev_tick_id === at) {
        const sql = await provider.value<string>('select kaja.event_range_sql($1, $2, $3, null, $4)', [
          queue,
          batch.prev_tick_id,
          batch.cur_tick_id,
          eventCondition([table.tableName], false),
        ]);
        await writer.transaction(async () => {
          await replayEvents(
            provider,
            writer,
            queue,
            sql as string,
            new Map([[table.tableName, route]]),
            plans,
          );
          await writer.execute(
            'update kaja.table_copy set copy_tick = $3 where queue_name = $1 and table_name = $2',
            [queue, table.tableName, batch.cur_tick_id],
          );
        });
      } else if (batch.cur_tick_id !== at) {
        throw new KajaError(
          'lost-position',
          `copy of table ${table.tableName} stands at tick ${at}, its consumer at ${batch.prev_tick_id}`,
          {
            hint: `resync ${table.tableName}`,
          },
        );
      }
      await provider.query('select pgq.finish_batch($1)', [batch.batch_id]);
    }
  } finally {
    await provider.close();
  }
}

/** Events between two ticks by their sequence numbers: an upper estimate, of all tables. */
async function eventsBetween(provider: Session, queue: string, from: bigint, to: bigint): Promise<bigint> {
  return (
    (await provider.value<bigint>(
      `select coalesce(max(t.tick_event_seq) filter (where t.tick_id = $3) - max(t.tick_event_seq) filter (where t.tick_id = $2), 0)
         from pgq.tick t join pgq.queue q on q.queue_id = t.tick_queue where q.queue_name = $1 and t.tick_id in ($2, $3)`,
      [queue, from, to],
    )) ?? 0n
  );
}
