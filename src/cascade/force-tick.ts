/** Makes a queue tick now instead of when the ticker feels like it. */
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { sleep } from '../runtime/sleep.ts';

/** A tick to wait for. */
export interface TickTarget {
  /** Waiting for this tick waits for everything committed before the call. */
  readonly tick: bigint;
  /** False: the tick does not exist yet, the queue's ticker has to make it. */
  readonly made: boolean;
}

const TRIES = 25;
const RETRY_MS = 20;

/** Newest tick of a queue in this database. */
export async function newestTick(session: Session, queue: string): Promise<bigint> {
  const tick = await session.value<bigint | null>('select q.last_tick_id from pgq.get_queue_info($1) q', [
    queue,
  ]);
  if (tick === undefined || tick === null) {
    throw new KajaError('state-refused', `queue ${queue} has no tick on ${session.location}`);
  }
  return tick;
}

/**
 * Store a tick, where that is permitted and this database makes the queue's ticks; else ask the ticker to.
 * Only a tick of our own is sure to cover what was committed before: one that appears meanwhile may have an older snapshot.
 */
export async function forceTick(session: Session, queue: string, signal?: AbortSignal): Promise<TickTarget> {
  const before = await newestTick(session, queue);
  if (await maySelfTick(session, queue)) {
    for (let left = TRIES; left > 0 && !signal?.aborted; left--) {
      const tick = await session.value<bigint>(
        "select p.tick_id from kaja.poll_ticks('0 seconds'::interval) p where p.queue_name = $1",
        [queue],
      );
      if (tick !== undefined) return { tick, made: true };
      await sleep(RETRY_MS, signal); // somebody else is just storing one
    }
  }
  await session.query('select pgq.force_tick($1)', [queue]);
  return { tick: before + 1n, made: false };
}

async function maySelfTick(session: Session, queue: string): Promise<boolean> {
  const row = await session.one<{ may: boolean | null }>(
    `select pg_catalog.has_schema_privilege(n.oid, 'usage') and pg_catalog.has_function_privilege(p.oid, 'execute') as may
       from (select 1) one
       left join pg_catalog.pg_namespace n on n.nspname = 'kaja'
       left join pg_catalog.pg_proc p on p.pronamespace = n.oid and p.proname = 'poll_ticks'`,
  );
  if (row.may !== true) return false;
  return (
    (await session.value<boolean>(
      'select not q.queue_external_ticker and not q.queue_ticker_paused from pgq.get_queue_info($1) q',
      [queue],
    )) ?? false
  );
}
