/** A batch in hand: everything between two ticks, and what shall become of its events. */
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { type ConsumerSettings, reasonOf } from './consumer-options.ts';
import { EVENT_COLUMNS, type EventRow, QueueEvent } from './event.ts';
import { queueError } from './queue-error.ts';

/** Events read at a time. */
const PAGE_EVENTS = 1_000;

/** What becomes of an event when its batch is closed; without a verdict it is done. */
export type Verdict = { readonly retrySeconds: number } | { readonly reason: string };

/** Takes the verdict of an event. */
type Judge = (event: QueueEvent, verdict: Verdict) => void;

/** An event with its consumer. The last of `fail`, `retry` and `bury` counts; none of them: the event is done. Takes effect when the batch is closed. */
export class ConsumedEvent extends QueueEvent {
  readonly #settings: ConsumerSettings;
  readonly #judge: Judge;

  /** Made by the library. */
  constructor(row: EventRow, settings: ConsumerSettings, judge: Judge) {
    super(row);
    this.#settings = settings;
    this.#judge = judge;
  }

  /** It failed: deliver it again after the consumer's delay, or make it a dead letter after the last attempt. */
  fail(error: unknown): void {
    const failures = this.retries + 1;
    if (failures >= this.#settings.attempts) this.bury(reasonOf(error));
    else this.retry(this.#settings.retryDelaySeconds(failures, error));
  }

  /**
   * Deliver it again, to this consumer only.
   * @param delaySeconds from the end of the batch on
   * @throws KajaError option-invalid
   */
  retry(delaySeconds: number): void {
    if (typeof delaySeconds !== 'number' || !(delaySeconds >= 0 && delaySeconds < 1e9))
      throw new KajaError('option-invalid', 'delay of a retry must be a number of seconds, not negative');
    this.#judge(this, { retrySeconds: delaySeconds });
  }

  /** Give up: make it a dead letter now. */
  bury(reason: string): void {
    this.#judge(this, { reason: String(reason).replaceAll('\0', '') });
  }
}

/** What the database says about an open batch. */
export interface BatchRow {
  readonly id: bigint;
  readonly tick: bigint;
  readonly previousTick: bigint;
  readonly start: Date;
  readonly end: Date;
}

/** An open batch. Iterate it, as often as needed, or take all events at once. */
export class Batch implements AsyncIterable<ConsumedEvent> {
  readonly id: bigint;
  /** The tick the batch ends with. */
  readonly tick: bigint;
  readonly previousTick: bigint;
  /** Times of the two ticks. */
  readonly start: Date;
  readonly end: Date;
  readonly #session: Session;
  readonly #settings: ConsumerSettings;
  readonly #verdicts = new Map<bigint, Verdict>();
  readonly #stop: AbortSignal;
  #reading = false;

  /** Made by the library. @param stop no further events after this */
  constructor(row: BatchRow, session: Session, settings: ConsumerSettings, stop: AbortSignal) {
    this.id = row.id;
    this.tick = row.tick;
    this.previousTick = row.previousTick;
    this.start = row.start;
    this.end = row.end;
    this.#session = session;
    this.#settings = settings;
    this.#stop = stop;
  }

  /** Events in order of their ids; large batches are read bit by bit. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ConsumedEvent, void, void> {
    for await (const page of this.#pages()) {
      for (const row of page) {
        if (this.#stop.aborted) throw new KajaError('aborted', `stopped in batch ${this.id}, it comes again`);
        yield new ConsumedEvent(row, this.#settings, this.#judge);
      }
    }
  }

  /** All events at once, in memory. */
  async all(): Promise<ConsumedEvent[]> {
    const events: ConsumedEvent[] = [];
    for await (const event of this) events.push(event);
    return events;
  }

  readonly #judge: Judge = (event, verdict) => void this.#verdicts.set(event.id, verdict);

  /* The first page without a transaction; only a batch that has more holds a cursor and with it a snapshot. */
  async *#pages(): AsyncGenerator<EventRow[], void, void> {
    const first = `select ${EVENT_COLUMNS} from pgq.get_batch_cursor($1, 'kaja_batch', $2)`;
    if (this.#reading)
      throw new KajaError('state-refused', `batch ${this.id} is being read already`, {
        hint: 'read it to its end, or take all() before',
      });
    this.#reading = true;
    try {
      const page = await this.#query(first, [this.id, PAGE_EVENTS]);
      if (page.length < PAGE_EVENTS) yield page;
      else yield* this.#cursorPages(first);
    } finally {
      this.#reading = false;
    }
  }

  async *#cursorPages(first: string): AsyncGenerator<EventRow[], void, void> {
    await this.#session.query('begin read only');
    try {
      for (let page = await this.#query(first, [this.id, PAGE_EVENTS]); page.length > 0; ) {
        yield page;
        page = await this.#query(`fetch ${PAGE_EVENTS} from kaja_batch`);
      }
    } finally {
      // After a lost connection there is nothing to end.
      await this.#session.query('rollback').catch(() => {});
    }
  }

  async #query(sql: string, values?: readonly unknown[]): Promise<EventRow[]> {
    try {
      return await this.#session.query<EventRow>(sql, values);
    } catch (error) {
      throw queueError(error, this.#settings.queue, this.#session.location);
    }
  }

  /**
   * Close the batch: retries, dead letters and the consumer's new position in one transaction.
   * @returns false when somebody else has closed it or moved the consumer meanwhile
   */
  async finish(): Promise<boolean> {
    const retries: [bigint, number][] = [];
    const deaths: [bigint, string][] = [];
    for (const [id, verdict] of this.#verdicts) {
      if ('reason' in verdict) deaths.push([id, verdict.reason]);
      else retries.push([id, verdict.retrySeconds]);
    }
    const session = this.#session;
    const close = async (): Promise<boolean> =>
      (await session.value<number>(
        `select ${this.#settings.worker === undefined ? 'pgq' : 'pgq_coop'}.finish_batch($1)`,
        [this.id],
      )) === 1;
    if (retries.length + deaths.length === 0) return close();
    try {
      await session.transaction(async () => {
        if (retries.length > 0)
          await session.query('select kaja.retry_events($1, $2::int8[], $3::float8[])', [
            this.id,
            ...columns(retries),
          ]);
        if (deaths.length > 0)
          await session.query('select kaja.bury_events($1, $2::int8[], $3::text[])', [
            this.id,
            ...columns(deaths),
          ]);
        // Verdicts about a batch that is not ours any more must not stay.
        if (!(await close())) throw new KajaError('state-refused', `batch ${this.id} is not open`);
      });
      return true;
    } catch (error) {
      if (error instanceof KajaError && error.code === 'state-refused') return false;
      throw error;
    }
  }
}

const columns = <A, B>(pairs: readonly (readonly [A, B])[]): [A[], B[]] => [
  pairs.map(([a]) => a),
  pairs.map(([, b]) => b),
];
