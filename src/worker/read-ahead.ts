/**
 * Reads the events of the batch that will come next while one is applied: else the node stands while the provider looks for
 * events and sorts them. Only reading is ahead; what is finished, opened and applied stays one batch after the other.
 */
import type { Session } from '../db/session.ts';
import { errorLine } from '../errors/error-line.ts';
import type { Log } from '../log/logger.ts';
import { type EventStream, openEventStream } from '../replay/event-stream.ts';
import { MAX_TICKS } from './open-batch.ts';

/** Events between two ticks. */
export interface EventRange {
  readonly previousTick: bigint;
  readonly tick: bigint;
  /** SQL over event columns: which of them. */
  readonly condition: string;
}

interface Ahead extends EventRange {
  readonly session: Session;
  readonly events: EventStream;
}

/* The batch that would be opened at $2: as kaja.next_batch reaches. */
const NEXT_RANGE = `
  select r.tick_id as tick, kaja.event_range_sql($1, t.tick_id, r.tick_id, null, $4) as sql
    from pgq.queue q
    join pgq.tick t on t.tick_queue = q.queue_id and t.tick_id = $2
    cross join lateral kaja.reach_tick(q.queue_id, t.tick_id, t.tick_event_seq, $3, $5, null) r
   where q.queue_name = $1 and r.tick_id is not null`;

/** Reads one range ahead, on sessions of its own. */
export class ReadAhead {
  readonly #open: () => Promise<Session>;
  readonly #queue: string;
  readonly #maxEvents: number;
  readonly #log: Log;
  readonly #free: Session[] = [];
  #next: Promise<Ahead | undefined> = Promise.resolve(undefined);
  #closed = false;

  /**
   * @param open a session on the provider
   * @param maxEvents batch_max_events
   */
  constructor(open: () => Promise<Session>, queue: string, maxEvents: number, log: Log) {
    this.#open = open;
    this.#queue = queue;
    this.#maxEvents = maxEvents;
    this.#log = log;
  }

  /** Begin to read what follows a tick. A failure shows as nothing having been read. */
  begin(afterTick: bigint, condition: string): void {
    this.#next = this.#read(afterTick, condition).catch((error: unknown) => {
      this.#log.debug(`reading ahead of tick ${afterTick} failed: ${errorLine(error)}`);
      return undefined;
    });
  }

  /** Where the range ends that is being read from a tick on; undefined: none is. */
  async endOf(previousTick: bigint): Promise<bigint | undefined> {
    const next = await this.#next;
    return next?.previousTick === previousTick ? next.tick : undefined;
  }

  /**
   * The events of a batch, if they are what is being read; anything else that was is given up.
   * Close the stream in any case: that frees its session for the next range.
   */
  async take(range: EventRange): Promise<EventStream | undefined> {
    const next = await this.#next;
    this.#next = Promise.resolve(undefined);
    if (!next) return undefined;
    const close = (): Promise<void> => this.#end(next);
    const fits =
      next.previousTick === range.previousTick &&
      next.tick === range.tick &&
      next.condition === range.condition;
    if (fits) return { next: () => next.events.next(), close };
    await close();
    return undefined;
  }

  /** Give up what is being read: nobody will ask for it soon, and reading keeps a snapshot on the provider. Never throws. */
  async giveUp(): Promise<void> {
    const next = await this.#next;
    this.#next = Promise.resolve(undefined);
    if (next) await this.#end(next);
  }

  /** Give up what is being read and close the sessions. Never throws. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.giveUp();
    await Promise.all(this.#free.map((session) => session.close()));
  }

  async #end({ session, events }: Ahead): Promise<void> {
    await events.close();
    if (this.#closed || session.closed) await session.close();
    else this.#free.push(session);
  }

  async #read(afterTick: bigint, condition: string): Promise<Ahead | undefined> {
    const session = this.#free.pop() ?? (await this.#open());
    try {
      const [range] = await session.query<{ tick: bigint; sql: string }>(NEXT_RANGE, [
        this.#queue,
        afterTick,
        this.#maxEvents,
        condition,
        MAX_TICKS,
      ]);
      if (range && !this.#closed)
        return {
          previousTick: afterTick,
          tick: range.tick,
          condition,
          session,
          events: openEventStream(session, range.sql),
        };
    } catch (error) {
      await session.close();
      throw error;
    }
    this.#free.push(session);
    return undefined;
  }
}
