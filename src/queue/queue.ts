/** A queue for programs: create, configure, look, produce, follow. */
import { installSchemas } from '../db/migrate/install-schemas.ts';
import type { Session } from '../db/session.ts';
import { checkOptions, checkValue, RULES } from './check-options.ts';
import {
  type DeadLetter,
  deleteLetters,
  type LetterSelection,
  readDeadLetters,
  readWaiting,
  replayLetters,
  type WaitingEvent,
} from './dead-letters.ts';
import { fieldsOf, type NewEvent, type QueueEvent } from './event.ts';
import { type Connection, Link, openLink } from './link.ts';
import { type EventSource, insertMany, insertOne, SourceFailure } from './produce.ts';
import {
  type ConsumerInfo,
  call,
  configureQueue,
  createQueue,
  dropQueue,
  type Position,
  type QueueInfo,
  type QueueSettings,
  readConsumers,
  readQueues,
  registerConsumer,
  seekConsumer,
  unregisterConsumer,
} from './queue-admin.ts';
import { queueError } from './queue-error.ts';
import { type TailOptions, tailQueue } from './tail.ts';
import { type Executor, sessionExecutor, type Transaction, transactionExecutor } from './transaction.ts';

/** Options of `Queue`. */
export interface QueueOptions {
  readonly connection: Connection;
  /** Shown in pg_stat_activity. Default `kaja queue <name>`. */
  readonly applicationName?: string | undefined;
}

/** Options of producing. */
export interface ProduceOptions {
  /**
   * Produce in this transaction of yours: the events exist when you commit, and never when you roll back. A Client or
   * PoolClient of pg, or a Transaction of kysely. Absent: a connection of the queue's own, committed at once.
   */
  readonly transaction?: Transaction | undefined;
}

const SETTING_RULES = {
  tickerMaxCount: RULES.count,
  tickerMaxLagSeconds: RULES.seconds,
  tickerIdlePeriodSeconds: RULES.seconds,
  tickerPaused: RULES.flag,
  rotationPeriodSeconds: RULES.seconds,
};
const SELECTION_RULES = { consumer: RULES.name, ids: RULES.anything };

/** A queue by name. Opens one connection when it is needed; `close` it, or the process stays alive. All failures are KajaErrors. */
export class Queue implements AsyncDisposable {
  readonly name: string;
  readonly #connection: Connection;
  readonly #applicationName: string;
  readonly #link: Link;

  /**
   * @param name of the queue, which need not exist yet
   * @throws KajaError option-invalid
   */
  constructor(name: string, options: QueueOptions) {
    checkValue('name of Queue', name, RULES.name);
    checkOptions('Queue', options, { connection: RULES.connection, applicationName: RULES.name }, [
      'connection',
    ]);
    this.name = name;
    this.#connection = options.connection;
    this.#applicationName = options.applicationName ?? `kaja queue ${name}`;
    this.#link = new Link(this.#connection, this.#applicationName);
  }

  /** All queues of a database, sorted by name. */
  static async list(connection: Connection): Promise<QueueInfo[]> {
    checkValue('connection', connection, RULES.connection);
    await using session = await openLink(connection, 'kaja queues');
    return await readQueues(session);
  }

  /**
   * Create the queue, or only give it settings when it exists. Needs pgq_admin.
   * @returns was it created?
   */
  async create(settings: QueueSettings = {}): Promise<boolean> {
    checkOptions('create', settings, SETTING_RULES);
    return this.#link.use((session) => createQueue(session, this.name, settings));
  }

  /** Change settings. Needs pgq_admin. @throws KajaError queue-missing */
  async configure(settings: QueueSettings): Promise<void> {
    checkOptions('configure', settings, SETTING_RULES);
    await this.#link.use((session) =>
      session.transaction(() => configureQueue(session, this.name, settings)),
    );
  }

  /**
   * Drop the queue with all its events. Needs pgq_admin.
   * @param options.force also when consumers are registered
   * @throws KajaError queue-missing; state-refused when consumers are registered
   */
  async drop(options: { readonly force?: boolean | undefined } = {}): Promise<void> {
    checkOptions('drop', options, { force: RULES.flag });
    await this.#link.use((session) => dropQueue(session, this.name, options.force === true));
  }

  /** What is known about the queue; undefined when it does not exist. */
  async info(): Promise<QueueInfo | undefined> {
    return (await this.#link.use((session) => readQueues(session, this.name)))[0];
  }

  /** Its consumers, sorted by name. */
  async consumers(): Promise<ConsumerInfo[]> {
    return this.#link.use((session) => readConsumers(session, this.name));
  }

  /**
   * Register a consumer: from now on events are kept until it has had them. Needs pgq_reader.
   * @param options.at where it begins; default: what is produced from now on
   * @returns false when it was registered; with `at` it is moved then
   */
  async register(consumer: string, options: { readonly at?: Position | undefined } = {}): Promise<boolean> {
    checkValue('name of the consumer', consumer, RULES.name);
    checkOptions('register', options, { at: RULES.position });
    return this.#link.use((session) => registerConsumer(session, this.name, consumer, options.at));
  }

  /** Unregister a consumer; its position and the events that wait for it are gone. @returns false when it was not registered */
  async unregister(consumer: string): Promise<boolean> {
    checkValue('name of the consumer', consumer, RULES.name);
    return this.#link.use((session) => unregisterConsumer(session, this.name, consumer));
  }

  /**
   * Move a consumer: back to have events again, forward to leave some out.
   * @returns the tick it stands at now
   * @throws KajaError queue-missing, consumer-missing; state-refused when there is no such tick
   */
  async seek(consumer: string, to: Position): Promise<bigint> {
    checkValue('name of the consumer', consumer, RULES.name);
    checkValue('position', to, RULES.position);
    return this.#link.use((session) => seekConsumer(session, this.name, consumer, to));
  }

  /**
   * Produce one event. Needs pgq_writer.
   * @returns its id
   * @throws KajaError payload-invalid, transaction-invalid, queue-missing
   */
  async produce(event: NewEvent, options: ProduceOptions = {}): Promise<bigint> {
    checkOptions('produce', options, { transaction: RULES.anything });
    fieldsOf(event);
    return this.#on(options.transaction, (on) => insertOne(on, this.name, event), false);
  }

  /**
   * Produce many events in their order, all or none; large numbers are streamed by COPY. Needs pgq_writer.
   * @param events an array, generator or async iterable of events; read as the server takes them
   * @returns how many
   * @throws KajaError payload-invalid, transaction-invalid, queue-missing; what the iterable threw. A transaction of yours can go
   * on then, without these events.
   */
  async produceMany(events: EventSource, options: ProduceOptions = {}): Promise<number> {
    checkOptions('produceMany', options, { transaction: RULES.anything });
    return this.#on(options.transaction, (on) => insertMany(on, this.name, events), true);
  }

  /**
   * Follow the queue without being a consumer, over a connection of its own: nothing is registered.
   * @example for await (const event of queue.tail({ signal })) console.log(event.id, event.data);
   */
  async *tail(options: TailOptions = {}): AsyncGenerator<QueueEvent, void, void> {
    checkOptions('tail', options, {
      from: RULES.position,
      signal: RULES.signal,
      follow: RULES.flag,
      onGap: RULES.work,
    });
    await using session = await openLink(this.#connection, `${this.#applicationName} tail`);
    yield* tailQueue(session, this.name, options);
  }

  /** Events that wait to be delivered again, the next due first. Needs pgq_reader. */
  async waiting(consumer?: string): Promise<WaitingEvent[]> {
    return this.#link.use((session) => readWaiting(session, this.name, consumer));
  }

  /** Events that consumers gave up on, the oldest first. Needs pgq_reader. */
  async deadLetters(selection: LetterSelection = {}): Promise<DeadLetter[]> {
    checkOptions('deadLetters', selection, SELECTION_RULES);
    return this.#link.use((session) => readDeadLetters(session, this.name, selection));
  }

  /**
   * Give dead letters back to their consumers, as if they had never been tried.
   * @returns how many
   * @throws KajaError queue-missing, consumer-missing
   */
  async replay(selection: LetterSelection = {}): Promise<number> {
    checkOptions('replay', selection, SELECTION_RULES);
    return this.#link.use((session) => replayLetters(session, this.name, selection));
  }

  /** Delete dead letters for good. @returns how many */
  async deleteDeadLetters(selection: LetterSelection = {}): Promise<number> {
    checkOptions('deleteDeadLetters', selection, SELECTION_RULES);
    return this.#link.use((session) => deleteLetters(session, this.name, selection));
  }

  /**
   * Make a tick now, so that consumers see what has been committed: for tests and scripts; a ticker does it otherwise. Needs pgq_admin.
   * @returns number of the newest tick
   */
  async tick(): Promise<bigint> {
    return this.#link.use(async (session) => {
      await call(session, this.name, 'select pgq.force_tick($1)', [this.name]);
      await call(session, this.name, 'select pgq.ticker($1)', [this.name]);
      const [info] = await readQueues(session, this.name);
      return info?.lastTick ?? 0n;
    });
  }

  /** Close the connection; the queue can be used again. */
  async close(): Promise<void> {
    await this.#link.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #on<T>(
    given: Transaction | undefined,
    work: (on: Executor) => Promise<T>,
    many: boolean,
  ): Promise<T> {
    const fail = (location?: string) => (error: unknown) => {
      throw error instanceof SourceFailure ? error.cause : queueError(error, this.name, location);
    };
    if (given !== undefined) return work(transactionExecutor(given)).catch(fail());
    return this.#link.use(async (session) => {
      const run = (): Promise<T> => work(sessionExecutor(session));
      return (many ? session.transaction(run) : run()).catch(fail(session.location));
    });
  }
}

/**
 * Install or upgrade kaja's schemas in a database, as `kaja install` does. Needs the right to create schemas.
 * @returns was anything to do?
 */
export async function install(connection: Connection): Promise<boolean> {
  checkValue('connection', connection, RULES.connection);
  await using session: Session = await openLink(connection, 'kaja install');
  return (await installSchemas(session)).length > 0;
}
