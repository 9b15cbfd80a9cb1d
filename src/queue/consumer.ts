/** A consumer for programs: handlers or async iterators, by event or by batch. */
import { KajaError } from '../errors/kaja-error.ts';
import { isAbort } from '../errors/retry-policy.ts';
import type { Batch, ConsumedEvent } from './batch.ts';
import { BatchFeed } from './batch-feed.ts';
import { checkOptions, checkValue, RULES } from './check-options.ts';
import {
  type ConsumerOptions,
  type ConsumerSettings,
  consumerSettings,
  reasonOf,
} from './consumer-options.ts';
import { type ExactlyOnce, exactlyOnceRules, openTarget } from './exactly-once.ts';
import type { TargetClient } from './target.ts';

/** Options of a run. */
export interface RunOptions {
  /** Ends the run: the batch in hand is finished within the grace time. */
  readonly signal?: AbortSignal | undefined;
}

/** What a handler gets beside its event or batch. */
export interface HandlerContext {
  /** Aborts when the grace time after a stop is over: what is not finished now comes again. */
  readonly signal: AbortSignal;
}

/** Handles one event. When it throws, the event is delivered again later, after the last attempt it becomes a dead letter. */
export type EventHandler = (event: ConsumedEvent, context: HandlerContext) => unknown;

/** Handles a batch. When it throws, the same batch comes again after a growing pause. */
export type BatchHandler = (batch: Batch, context: HandlerContext) => unknown;

const RUN_RULES = { signal: RULES.signal };

/**
 * A consumer of a queue. Every event is delivered at least once: when the process dies within a batch, the whole batch comes
 * again. `runExactlyOnce` rules that out for what is written into a database.
 */
export class Consumer {
  readonly queue: string;
  readonly name: string;
  readonly #settings: ConsumerSettings;
  #running = false;

  /** @throws KajaError option-invalid; nothing is connected yet */
  constructor(options: ConsumerOptions) {
    this.#settings = consumerSettings(options);
    this.queue = this.#settings.queue;
    this.name = this.#settings.name;
  }

  /**
   * Handle events until the signal aborts.
   * @throws KajaError of what waiting does not heal, for example queue-missing. Lost connections are not among them.
   * @example await consumer.run(async (event) => { await send(event.json()); }, { signal });
   */
  async run(handler: EventHandler, options: RunOptions = {}): Promise<void> {
    checkValue('handler of run', handler, RULES.work);
    await this.#each('run', options, async (batch, context) => {
      const { concurrency } = this.#settings;
      const busy = new Set<Promise<void>>();
      let failure: { error: unknown } | undefined;
      try {
        for await (const event of batch) {
          const work = this.#handle(handler, event, context)
            .catch((error: unknown) => {
              failure ??= { error };
            })
            .finally(() => busy.delete(work));
          busy.add(work);
          if (busy.size >= concurrency) await Promise.race(busy);
          if (failure) break;
        }
      } finally {
        await Promise.all(busy);
      }
      if (failure) throw failure.error;
    });
  }

  /**
   * Handle batches until the signal aborts. Single events of a batch can be told to come again or to be buried: `event.retry`,
   * `event.bury`, `event.fail`.
   * @throws KajaError as `run`
   */
  async runBatches(handler: BatchHandler, options: RunOptions = {}): Promise<void> {
    checkValue('handler of runBatches', handler, RULES.work);
    await this.#each('runBatches', options, async (batch, context) => void (await handler(batch, context)));
  }

  /**
   * Write what events say into another database, each exactly once: the position is stored there in the same transaction, by
   * schema pgq_ext. By event or by batch, see `ExactlyOnce`.
   * @throws KajaError as `run`; not-installed when the other database has no schema pgq_ext
   */
  async runExactlyOnce<C = TargetClient>(work: ExactlyOnce<C>, options: RunOptions = {}): Promise<void> {
    checkOptions('runExactlyOnce', work, exactlyOnceRules, ['into']);
    await using target = openTarget(work, this.#settings);
    await this.#each('runExactlyOnce', options, (batch, context) => target.apply(batch, context));
  }

  /**
   * Batches one after the other; a batch is closed when the next one is asked for. Leaving the loop leaves the batch in hand
   * open: it comes again.
   */
  async *batches(options: RunOptions = {}): AsyncGenerator<Batch, void, void> {
    const feed = this.#start('batches', options);
    try {
      for (let batch = await feed.next(); batch; batch = await feed.next()) {
        yield batch;
        if (feed.stop.aborted) return;
        await feed.finish();
      }
    } finally {
      await this.#end(feed);
    }
  }

  /**
   * Events one after the other; an event is done when the next one is asked for, unless `event.fail`, `retry` or `bury` was
   * called. Leaving the loop leaves the batch in hand open: all its events come again.
   * @example for await (const event of consumer.events({ signal })) …
   */
  async *events(options: RunOptions = {}): AsyncGenerator<ConsumedEvent, void, void> {
    const feed = this.#start('events', options);
    try {
      for (let batch = await feed.next(); batch; batch = await feed.next()) {
        try {
          yield* batch;
        } catch (error) {
          if (feed.stop.aborted) return;
          await feed.pause(error);
          continue;
        }
        await feed.finish();
      }
    } finally {
      await this.#end(feed);
    }
  }

  async #each(what: string, options: RunOptions, work: BatchHandler): Promise<void> {
    const feed = this.#start(what, options);
    const context: HandlerContext = { signal: feed.stop };
    try {
      for (let batch = await feed.next(); batch; batch = await feed.next()) {
        try {
          await work(batch, context);
        } catch (error) {
          if (feed.stop.aborted) return;
          if (error instanceof KajaError && error.retry === 'never' && !isAbort(error)) throw error;
          await feed.pause(error);
          continue;
        }
        await feed.finish();
      }
    } finally {
      await this.#end(feed);
    }
  }

  async #handle(handler: EventHandler, event: ConsumedEvent, context: HandlerContext): Promise<void> {
    try {
      await handler(event, context);
    } catch (error) {
      // Stopping is nobody's failure: the batch comes again.
      if (context.signal.aborted) return;
      event.fail(error);
      this.#settings.log.warn(`event ${event.id} failed (delivery ${event.retries + 1}): ${reasonOf(error)}`);
    }
  }

  #start(what: string, options: RunOptions): BatchFeed {
    checkOptions(what, options, RUN_RULES);
    if (this.#running)
      throw new KajaError('state-refused', `consumer "${this.name}" runs already`, {
        hint: 'make a second Consumer',
      });
    this.#running = true;
    return new BatchFeed(this.#settings, options.signal ?? new AbortController().signal);
  }

  async #end(feed: BatchFeed): Promise<void> {
    this.#running = false;
    await feed.close();
  }
}
