/** Gets a consumer's batches one after the other: connects, stands by, waits for ticks, and comes back after failures. */
import type { Session } from '../db/session.ts';
import { errorLine } from '../errors/error-line.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { isAbort, retryPolicyOf } from '../errors/retry-policy.ts';
import { createBackoff } from '../runtime/backoff.ts';
import { sleep } from '../runtime/sleep.ts';
import { createWaker, sleepUntilWoken } from '../runtime/waker.ts';
import { Batch } from './batch.ts';
import type { ConsumerSettings } from './consumer-options.ts';
import { toDate } from './event.ts';
import { openLink } from './link.ts';
import { call, readQueue, registerConsumer } from './queue-admin.ts';
import { queueError } from './queue-error.ts';

/** First number of the advisory locks of consumers; the second is the subscription. */
const LOCK_CLASS = 1801546338;
const MAX_PAUSE_MS = 20_000;
const MAX_TICKS = 1_000;

interface NextBatch {
  id: bigint | null;
  tick: bigint;
  previousTick: bigint;
  end: string;
  start: string;
}

/** One run of a consumer. */
export class BatchFeed {
  readonly #settings: ConsumerSettings;
  readonly #soft: AbortSignal;
  readonly #hard = new AbortController();
  readonly #waker = createWaker();
  readonly #backoff = createBackoff({ minMs: 500, maxMs: MAX_PAUSE_MS });
  #session: Session | undefined;
  #batch: Batch | undefined;
  #grace: NodeJS.Timeout | undefined;
  #worked = false;
  #stoodBy = false;

  /** @param signal ends the run: at once while it waits, after the batch or the grace time while it works */
  constructor(settings: ConsumerSettings, signal: AbortSignal) {
    this.#settings = settings;
    this.#soft = signal;
    signal.addEventListener('abort', this.#onStop, { once: true });
  }

  /** Aborts when the grace time is over: what is in hand will come again. */
  get stop(): AbortSignal {
    return this.#hard.signal;
  }

  /**
   * The next batch; the one in hand again when it was not finished.
   * @returns undefined when the run is over
   * @throws KajaError of what waiting does not heal: a wrong option or password, a missing queue, a consumer that was unregistered
   */
  async next(): Promise<Batch | undefined> {
    this.#batch = undefined;
    while (!this.#soft.aborted) {
      try {
        const batch = await this.#open();
        if (batch) {
          this.#batch = batch;
          return batch;
        }
      } catch (error) {
        if (this.#soft.aborted) return undefined;
        if (isFatal(error, this.#worked)) throw error;
        await this.pause(error);
      }
    }
    return undefined;
  }

  /**
   * Close the batch in hand.
   * @returns false when that failed and the batch comes again
   */
  async finish(): Promise<boolean> {
    const batch = this.#batch;
    if (!batch) return true;
    try {
      if (!(await batch.finish()))
        this.#settings.log.warn(`batch ${batch.id} was closed by somebody else, or the consumer was moved`);
      this.#backoff.reset();
      return true;
    } catch (error) {
      if (this.#hard.signal.aborted) return false;
      await this.pause(error);
      return false;
    } finally {
      this.#batch = undefined;
    }
  }

  /** Say what failed and wait; longer from failure to failure. */
  async pause(error: unknown): Promise<void> {
    const { log } = this.#settings;
    // A broken statement may leave the session in a state nobody knows.
    await this.#disconnect();
    const pauseMs = this.#backoff.next();
    const text = `${errorLine(error)} (attempt ${this.#backoff.failures}, next in ${(pauseMs / 1000).toFixed(1)}s)`;
    if (retryPolicyOf(error) === 'timed') log.warn(text);
    else log.error(text);
    await sleep(pauseMs, this.#soft);
  }

  /** End: closes the connection. An unfinished batch stays open and comes again. */
  async close(): Promise<void> {
    this.#soft.removeEventListener('abort', this.#onStop);
    clearTimeout(this.#grace);
    await this.#disconnect();
  }

  readonly #onStop = (): void => {
    if (!this.#batch) this.#hard.abort();
    else this.#grace = setTimeout(() => this.#hard.abort(), this.#settings.graceMs);
  };

  /* undefined: nothing to do yet; the wait is over then. */
  async #open(): Promise<Batch | undefined> {
    const session = await this.#connect();
    if (!session) return undefined;
    const row = await this.#nextRow(session).catch((error: unknown) => {
      throw queueError(error, this.#settings.queue, session.location);
    });
    this.#worked = true;
    if (row && row.id !== null) {
      const { id, tick, previousTick } = row;
      const times = { start: toDate(row.start), end: toDate(row.end) };
      return new Batch({ id, tick, previousTick, ...times }, session, this.#settings, this.#hard.signal);
    }
    this.#backoff.reset();
    await sleepUntilWoken(this.#settings.pollMs, this.#waker, this.#soft);
    return undefined;
  }

  async #nextRow(session: Session): Promise<NextBatch | undefined> {
    const { queue, name, worker, workerTimeoutSeconds, batchEvents } = this.#settings;
    if (worker === undefined) {
      const [row] = await session.query<NextBatch>(
        `select batch_id as id, cur_tick_id as tick, prev_tick_id as "previousTick", prev_tick_time as start, cur_tick_time as end
           from kaja.next_batch($1, $2, $3, $4, null)`,
        [queue, name, batchEvents, MAX_TICKS],
      );
      return row;
    }
    const id = await session.value<bigint | null>('select pgq_coop.next_batch($1, $2, $3, $4::interval)', [
      queue,
      name,
      worker,
      `${workerTimeoutSeconds} seconds`,
    ]);
    if (id === null || id === undefined) return undefined;
    const [row] = await session.query<NextBatch>(
      `select $1::int8 as id, tick_id as tick, prev_tick_id as "previousTick", batch_start as start, batch_end as end
         from pgq.get_batch_info($1)`,
      [id],
    );
    return row;
  }

  /* undefined: another process works under this name; the wait is over then. */
  async #connect(): Promise<Session | undefined> {
    const { settings, session: old } = { settings: this.#settings, session: this.#session };
    if (old && !old.closed) return old;
    const lost = old !== undefined;
    await this.#disconnect();
    if (lost) throw new KajaError('connection-lost', `connection to ${old.location} was lost`);
    const session = await openLink(settings.connection, settings.applicationName, this.#hard.signal);
    try {
      if (!this.#worked) await this.#register(session);
      if (settings.exclusive && !(await this.#lock(session))) {
        if (!this.#stoodBy) settings.log.info(`another process works as ${settings.name}, standing by`);
        this.#stoodBy = true;
        await session.close();
        await sleep(settings.pollMs, this.#soft);
        return undefined;
      }
      session.client.on('notification', (message) => {
        if (message.payload === settings.queue) this.#waker.wake();
      });
      await session.query('listen kaja_tick');
    } catch (error) {
      await session.close();
      throw error;
    }
    this.#session = session;
    return session;
  }

  async #register(session: Session): Promise<void> {
    const { queue, name, worker, register, log } = this.#settings;
    await readQueue(session, queue);
    if (register && (await registerConsumer(session, queue, name))) log.info(`registered on queue ${queue}`);
    if (worker !== undefined)
      await call(session, queue, 'select pgq_coop.register_subconsumer($1, $2, $3)', [queue, name, worker]);
  }

  async #lock(session: Session): Promise<boolean> {
    const { queue, name, worker } = this.#settings;
    // Workers of one consumer have its sub_id in common.
    const key =
      worker === undefined ? 's.sub_id' : `pg_catalog.hashtext(s.sub_queue || '.' || s.sub_consumer)`;
    const taken = await call<boolean>(
      session,
      queue,
      `select pg_catalog.pg_try_advisory_lock($1, ${key})
         from pgq.subscription s
         join pgq.queue q on q.queue_id = s.sub_queue
         join pgq.consumer c on c.co_id = s.sub_consumer
        where q.queue_name = $2 and c.co_name = $3`,
      [LOCK_CLASS, queue, worker === undefined ? name : `${name}.${worker}`],
    );
    // Without a subscription the next statement says so.
    return taken ?? true;
  }

  async #disconnect(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.close();
  }
}

const GONE = new Set(['queue-missing', 'consumer-missing', 'option-invalid', 'location-invalid']);

/** Is it useless to try again? What needs a human is told at the start, and waited for later. */
function isFatal(error: unknown, worked: boolean): boolean {
  const policy = retryPolicyOf(error);
  if (policy === 'never' || (error instanceof KajaError && GONE.has(error.code))) return true;
  return policy === 'manual' && !worked && !isAbort(error);
}
