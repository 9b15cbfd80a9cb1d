/** A request to the worker of this node to stand still exactly at a tick: a row of `kaja.hold`. */
import { openSession, type Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { sleep } from '../runtime/sleep.ts';
import { lockHolder } from './run-lock.ts';

/** A hold ends with its session; where that hangs about, after this time: the worker must not wait for a dead process. */
const LIFE_SECONDS = 60;
const KEEP_ALIVE_MS = 10_000;
const POLL_MS = 5;
/** Nobody wants to read about waits that are shorter. */
const PROGRESS_AFTER_MS = 1000;

/** A place for "how far is it". */
export type HoldProgress = (at: bigint) => void;

/** The hold of one process. Always `release` it. */
export class Hold {
  readonly #session: Session;
  readonly #queue: string;
  readonly #consumer: string;
  readonly #id: bigint;
  readonly #timer: NodeJS.Timeout;
  #released = false;

  /** Use `placeHold`. */
  constructor(session: Session, queue: string, consumer: string, id: bigint) {
    this.#session = session;
    this.#queue = queue;
    this.#consumer = consumer;
    this.#id = id;
    this.#timer = setInterval(() => {
      // When this fails the hold may expire; whoever relies on it checks the position itself.
      this.#session
        .execute(
          `update kaja.hold set expires_at = clock_timestamp() + make_interval(secs => $2), backend_pid = pg_backend_pid() where hold_id = $1`,
          [this.#id, LIFE_SECONDS],
        )
        .catch(() => {});
    }, KEEP_ALIVE_MS);
    this.#timer.unref();
  }

  /** Let the worker go on, and ask it to stand at this tick next. */
  async moveTo(tick: bigint): Promise<void> {
    await this.#session.execute('update kaja.hold set tick_id = $2, reached_at = null where hold_id = $1', [
      this.#id,
      tick,
    ]);
  }

  /**
   * Wait until the worker has acknowledged.
   * @param waitMs 0: as long as it takes
   * @returns whether it did in time
   * @throws KajaError aborted when the signal ends the wait
   */
  async reached(waitMs: number, signal: AbortSignal, onProgress?: HoldProgress): Promise<boolean> {
    const started = Date.now();
    const deadline = waitMs > 0 ? Date.now() + waitMs : Number.POSITIVE_INFINITY;
    for (;;) {
      const [row] = await this.#session.query<{ reached: boolean; at: bigint | null }>(
        `select h.reached_at is not null as reached, s.last_tick_id as at
           from kaja.hold h left join pgq_node.local_state s on s.queue_name = $2 and s.consumer_name = $3
          where h.hold_id = $1`,
        [this.#id, this.#queue, this.#consumer],
      );
      if (!row) throw new KajaError('state-refused', 'the hold of this comparison was removed by somebody');
      if (row.reached) return true;
      if (row.at !== null && Date.now() - started > PROGRESS_AFTER_MS) onProgress?.(row.at);
      if (Date.now() >= deadline) return false;
      await sleep(POLL_MS, signal);
      if (signal.aborted) throw new KajaError('aborted', 'stopped on request', { cause: signal.reason });
    }
  }

  /** Position of the worker now. */
  async position(): Promise<bigint> {
    const [row] = await this.#session.query<{ at: bigint }>(
      'select last_tick_id as at from pgq_node.local_state where queue_name = $1 and consumer_name = $2',
      [this.#queue, this.#consumer],
    );
    return row?.at ?? -1n;
  }

  /** Does a worker of this node run? */
  workerRuns(): Promise<boolean> {
    return workerRuns(this.#session, this.#queue, this.#consumer);
  }

  /** Remove the hold: the worker goes on. Never throws; a hold that cannot be removed expires. Does not wait until the session is closed. */
  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    clearInterval(this.#timer);
    await this.#session.execute('delete from kaja.hold where hold_id = $1', [this.#id]).catch(() => {});
    void this.#session.close();
  }
}

/** Does a worker of this node run? Each holds an advisory lock. */
export const workerRuns = async (session: Session, queue: string, consumer: string): Promise<boolean> =>
  (await lockHolder(session, `kaja worker ${queue} ${consumer}`)) !== undefined;

/**
 * Ask the worker to stand still where it is, as soon as possible.
 * @param location connection string of this node; the session has no stop signal, so that the hold is removed after ^C too
 */
export async function placeHold(
  location: string,
  queue: string,
  consumer: string,
  applicationName: string,
): Promise<Hold> {
  const session = await openSession(location, { purpose: 'admin', applicationName });
  try {
    await session.execute(
      `delete from kaja.hold where expires_at < clock_timestamp()
          or backend_pid is not null and not exists (select from pg_stat_get_activity(backend_pid))`,
    );
    const { id } = await session.one<{ id: bigint }>(
      `insert into kaja.hold (queue_name, tick_id, expires_at, backend_pid)
       values ($1, 0, clock_timestamp() + make_interval(secs => $2), pg_backend_pid()) returning hold_id as id`,
      [queue, LIFE_SECONDS],
    );
    return new Hold(session, queue, consumer, id);
  } catch (error) {
    await session.close();
    throw error;
  }
}
