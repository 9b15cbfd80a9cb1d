/** Makes the ticks of one database, over one long-lived session. */
import { openSession, type Session } from '../db/session.ts';
import type { Log } from '../log/logger.ts';
import type { TickerDatabase } from './list-databases.ts';
import { type PgqFacts, readPgqFacts } from './pgq-facts.ts';

/*
 * A tick does not wait for the disk: nobody acts upon one before a batch that ends with it was opened, and opening is a commit
 * behind the tick's, which takes it to the disk. set_config is called for a stored tick only, and rules its transaction only.
 */
const POLL = `select p.queue_name, p.tick_id, set_config('synchronous_commit', 'off', true), current_setting('kaja.ticked', true) as ticked from kaja.poll_ticks() p`;

/** What a pass did: ticks stored, or why the database cannot be ticked. */
export type TickResult =
  | {
      readonly usable: true;
      readonly ticks: number;
      /** Ticks cover new events; others are stored only because time has passed. */
      readonly busy: boolean;
      readonly polls: boolean;
    }
  | { readonly usable: false; readonly reason: string };

interface Opened {
  readonly session: Session;
  readonly facts: PgqFacts & { readonly usable: true };
  readonly openedAt: number;
}

/** One database's ticker. `tick` is one pass; the caller decides when. */
export class Ticker {
  readonly #database: TickerDatabase;
  readonly #lifetimeMs: number;
  readonly #log: Log;
  readonly #signal: AbortSignal | undefined;
  #opened: Opened | undefined;
  #said = '';
  #last: Promise<unknown> = Promise.resolve();

  /**
   * @param options.connectionLifetimeMs the session is renewed, with all checks, at this age; 0 = never
   * @param options.signal cancels what is in hand
   */
  constructor(
    database: TickerDatabase,
    log: Log,
    options: { connectionLifetimeMs?: number; signal?: AbortSignal } = {},
  ) {
    this.#database = database;
    this.#lifetimeMs = options.connectionLifetimeMs ?? 0;
    this.#log = log;
    this.#signal = options.signal;
  }

  /**
   * Store a tick in each queue that needs one: with kaja.poll_ticks, or with pgq.ticker where only PgQ is installed.
   * @throws KajaError when the database does not answer or refuses; the session is closed then
   */
  tick(): Promise<TickResult> {
    return this.#oneAtATime(async () => {
      const opened = await this.#open();
      if (!('session' in opened)) return opened;
      const { session, facts } = opened;
      try {
        if (!facts.polls) {
          const ticks = Number(await session.value<bigint>('select pgq.ticker()'));
          return { usable: true, ticks, busy: ticks > 0, polls: false };
        }
        const rows = await session.query<{ ticked: string | null }>(POLL);
        const busy = rows.some((row) => row.ticked !== 'idle');
        return { usable: true, ticks: rows.length, busy, polls: true };
      } catch (error) {
        await this.close();
        throw error;
      }
    });
  }

  /** Connect, if need be, and look whether the database can be ticked, without a tick. Throws as `tick`. */
  check(): Promise<boolean> {
    return this.#oneAtATime(async () => 'session' in (await this.#open()));
  }

  /** Close the session; a later `tick` opens a new one. */
  async close(): Promise<void> {
    const session = this.#opened?.session;
    this.#opened = undefined;
    await session?.close();
  }

  /** Drop the connection at once, when there is no time left to be polite. */
  destroy(): void {
    this.#opened?.session.destroy(new Error('the ticker stops'));
  }

  /* Scheduled ticks and checks come from two sides; renewing the session must not cut a tick in hand. */
  #oneAtATime<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }

  async #open(): Promise<Opened | (TickResult & { usable: false })> {
    const old = this.#opened;
    const aged = old && this.#lifetimeMs > 0 && performance.now() - old.openedAt > this.#lifetimeMs;
    if (old && !aged && !old.session.closed) return old;
    if (old?.session.closed) this.#log.info('connection was lost, connecting anew');
    await this.close();
    const session = await openSession(this.#database.location, {
      purpose: 'admin',
      applicationName: 'kaja ticker',
      signal: this.#signal,
    });
    try {
      const facts = await readPgqFacts(session);
      if (facts.usable) {
        this.#say(`pgq version ok: ${facts.version}`, true);
        this.#opened = { session, facts, openedAt: performance.now() };
        return this.#opened;
      }
      this.#say(facts.reason, this.#database.named);
      await session.close();
      return facts;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  /* The same finding comes at every check_period or connection_lifetime; once is enough. */
  #say(text: string, loud: boolean): void {
    if (loud && text !== this.#said) this.#log.info(text);
    else this.#log.debug(text);
    this.#said = text;
  }
}
