/** Options of a consumer, checked and completed. */
import { errorLine } from '../errors/error-line.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { checkOptions, RULES } from './check-options.ts';
import type { Connection } from './link.ts';

/** Where a consumer tells what happens to it; `console` fits. */
export interface ConsumerLog {
  info(text: string): void;
  warn(text: string): void;
  error(text: string): void;
}

/** Options of `Consumer`. */
export interface ConsumerOptions {
  readonly connection: Connection;
  /** Name of the queue. */
  readonly queue: string;
  /** Name of the consumer: its position is kept under it in the database. */
  readonly name: string;
  /**
   * Share the consumer's batches with workers of other names, here or elsewhere (schema pgq_coop): each batch goes to one of them,
   * one tick at a time. Events of one batch stay in order, batches do not.
   */
  readonly worker?: string | undefined;
  /** With `worker`: one that has not asked or finished for so long counts as dead, its batch goes to another. Longer than any batch takes. Default 300. */
  readonly workerTimeoutSeconds?: number | undefined;
  /** Register when it is not registered yet; it then gets what is produced from then on. Default true. */
  readonly register?: boolean | undefined;
  /** Deliveries of an event that fails before it becomes a dead letter. Default 5; Infinity: never. */
  readonly attempts?: number | undefined;
  /**
   * Time until an event that failed is delivered again, or a function of the number of failed deliveries (from 1) and the
   * error. Default 30. The ticker looks for due events at its own pace (`retry_period`).
   */
  readonly retryDelaySeconds?: number | ((failures: number, error: unknown) => number) | undefined;
  /** Events handled at the same time by `run`. Default 1: one after the other, in order. */
  readonly concurrency?: number | undefined;
  /** Ticks are merged to batches of about so many events. Default 1000. */
  readonly batchEvents?: number | undefined;
  /** Longest time between two looks; notifications are faster. Default 1. */
  readonly pollSeconds?: number | undefined;
  /** After an abort, time to finish the batch in hand; what is not finished then comes again. Default 5. */
  readonly graceSeconds?: number | undefined;
  /**
   * Only one process at a time works under this name, others stand by. Default true. False behind a connection pooler in
   * transaction mode.
   */
  readonly exclusive?: boolean | undefined;
  /** Default: warnings and errors to stderr. False: nothing. */
  readonly logger?: ConsumerLog | false | undefined;
  /** Shown in pg_stat_activity. Default `kaja consumer <name>`. */
  readonly applicationName?: string | undefined;
}

/** Options with everything filled in; times in milliseconds. */
export interface ConsumerSettings {
  readonly connection: Connection;
  readonly queue: string;
  readonly name: string;
  readonly worker: string | undefined;
  readonly workerTimeoutSeconds: number;
  readonly register: boolean;
  readonly attempts: number;
  readonly retryDelaySeconds: (failures: number, error: unknown) => number;
  readonly concurrency: number;
  readonly batchEvents: number;
  readonly pollMs: number;
  readonly graceMs: number;
  readonly exclusive: boolean;
  readonly log: ConsumerLog;
  readonly applicationName: string;
}

const RULES_OF_CONSUMER = {
  connection: RULES.connection,
  queue: RULES.name,
  name: RULES.name,
  worker: RULES.name,
  workerTimeoutSeconds: RULES.positiveSeconds,
  register: RULES.flag,
  attempts: RULES.countOrInfinity,
  retryDelaySeconds: RULES.secondsOrWork,
  concurrency: RULES.count,
  batchEvents: RULES.count,
  pollSeconds: RULES.positiveSeconds,
  graceSeconds: RULES.seconds,
  exclusive: RULES.flag,
  logger: RULES.logger,
  applicationName: RULES.name,
};

const SILENT: ConsumerLog = { info: () => {}, warn: () => {}, error: () => {} };

/** One line per warning or error. */
const stderrLog = (name: string): ConsumerLog => ({
  info: () => {},
  warn: (text) => void process.stderr.write(`kaja consumer ${name}: ${text}\n`),
  error: (text) => void process.stderr.write(`kaja consumer ${name}: ${text}\n`),
});

/**
 * Check and complete.
 * @throws KajaError option-invalid
 */
export function consumerSettings(options: ConsumerOptions): ConsumerSettings {
  checkOptions('Consumer', options, RULES_OF_CONSUMER, ['connection', 'queue', 'name']);
  const { name, retryDelaySeconds: delay = 30, logger } = options;
  if (options.workerTimeoutSeconds !== undefined && options.worker === undefined)
    throw new KajaError('option-invalid', 'option workerTimeoutSeconds of Consumer goes with worker');
  return {
    connection: options.connection,
    queue: options.queue,
    name,
    worker: options.worker,
    workerTimeoutSeconds: options.workerTimeoutSeconds ?? 300,
    register: options.register ?? true,
    attempts: options.attempts ?? 5,
    retryDelaySeconds: typeof delay === 'function' ? delay : () => delay,
    concurrency: options.concurrency ?? 1,
    batchEvents: options.batchEvents ?? 1_000,
    pollMs: (options.pollSeconds ?? 1) * 1000,
    graceMs: (options.graceSeconds ?? 5) * 1000,
    exclusive: options.exclusive ?? true,
    log: logger === false ? SILENT : (logger ?? stderrLog(name)),
    applicationName: options.applicationName ?? `kaja consumer ${name}`,
  };
}

/** The reason stored with a dead letter: one line, without passwords, not endless. */
export const reasonOf = (error: unknown): string => errorLine(error).slice(0, 2_000);
