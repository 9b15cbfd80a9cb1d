/** Wakes a worker when its provider has a new tick. A hint only: polling goes on without it. */
import { openSession, type Session } from '../db/session.ts';
import { errorLine } from '../errors/error-line.ts';
import type { Log } from '../log/logger.ts';
import type { Waker } from '../runtime/waker.ts';

/** Listens on channel `kaja_tick` of one provider at a time. */
export class TickListener {
  readonly #queue: string;
  readonly #waker: Waker;
  readonly #log: Log;
  #session: Session | undefined;
  #location = '';
  #retryAt = 0;

  constructor(queue: string, waker: Waker, log: Log) {
    this.#queue = queue;
    this.#waker = waker;
    this.#log = log;
  }

  /** Is a session listening? Without one the worker has to poll more often. */
  get listening(): boolean {
    return this.#session !== undefined && !this.#session.closed;
  }

  /**
   * Listen to the provider at a location; cheap when it does already. Failures are logged once and tried again after a while.
   * @param location connection string of the provider
   */
  async follow(location: string): Promise<void> {
    if (this.listening && location === this.#location) return;
    if (Date.now() < this.#retryAt) return;
    await this.close();
    this.#retryAt = Date.now() + 10_000;
    try {
      const session = await openSession(location, {
        purpose: 'listen',
        applicationName: `kaja listen ${this.#queue}`,
      });
      session.client.on('notification', (message) => {
        if (message.payload === this.#queue) this.#waker.wake();
      });
      await session.query('listen kaja_tick');
      this.#session = session;
      this.#location = location;
    } catch (error) {
      this.#log.debug(`cannot listen for ticks, polling instead: ${errorLine(error)}`);
    }
  }

  /** Stop listening. */
  async close(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.close();
  }
}
