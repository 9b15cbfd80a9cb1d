/** Takes copied tables into the worker's own stream, at exactly the worker's position. */
import { setTableState } from '../copy/copy-context.ts';
import type { Session } from '../db/session.ts';
import type { Log } from '../log/logger.ts';
import type { PlanCache } from '../replay/plan-finder.ts';
import { eventCondition, replayEvents } from '../replay/replay-events.ts';
import type { LocalTable } from '../replay/routes.ts';
import { failpoint } from '../runtime/failpoint.ts';

/** Tick at which a table waits to be taken over; undefined in other states. */
export function wannaSyncTick(table: LocalTable): bigint | undefined {
  const match = /^(?:wanna|do)-sync:(\d+)$/.exec(table.mergeState ?? '');
  return match?.[1] === undefined ? undefined : BigInt(match[1]);
}

/** What a hand-over works with. */
export interface HandOver {
  readonly target: Session;
  readonly provider: Session;
  readonly queue: string;
  readonly consumer: string;
  /** Last tick this node has applied. */
  readonly position: bigint;
  readonly tables: readonly LocalTable[];
  readonly plans: PlanCache;
  readonly log: Log;
}

/**
 * For each table that stands at a tick at or before the worker's position: apply its events in between and make it `ok`, in one
 * transaction. Tables that are ahead wait; the worker ends its batches at their ticks.
 * @returns whether any table changed
 */
export async function handOver(work: HandOver): Promise<boolean> {
  let changed = false;
  for (const table of work.tables) {
    const tick = wannaSyncTick(table);
    if (tick === undefined || tick > work.position || !table.route) continue;
    const routes = new Map([[table.tableName, table.route]]);
    await work.target.transaction(async () => {
      // A resync or removal that came in between wins.
      const state = await work.target.value<string>(
        'select merge_state from londiste.table_info where queue_name = $1 and table_name = $2 and local for update',
        [work.queue, table.tableName],
      );
      if (state !== table.mergeState) return;
      if (tick < work.position) {
        const sql = (await work.provider.value<string>('select kaja.event_range_sql($1, $2, $3, null, $4)', [
          work.queue,
          tick,
          work.position,
          eventCondition(routes.keys(), false),
        ])) as string;
        await replayEvents(work.provider, work.target, work.queue, sql, routes, work.plans);
        failpoint('sync-applied');
      }
      await work.target.execute(
        'update kaja.table_copy set copy_tick = null where queue_name = $1 and table_name = $2',
        [work.queue, table.tableName],
      );
      await setTableState(work.target, work, table.tableName, 'ok');
    });
    failpoint('sync-committed');
    changed = true;
  }
  return changed;
}
