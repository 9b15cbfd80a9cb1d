/** Drives a `runOnce`: sleeping, backing off and stopping are here, the work and its transactions are there. */
import { errorLine, errorStack } from '../errors/error-line.ts';
import { isAbort, retryPolicyOf } from '../errors/retry-policy.ts';
import type { Log } from '../log/logger.ts';
import { createBackoff } from './backoff.ts';
import { type Clock, systemClock } from './clock.ts';
import { sleepUntilWoken, type Waker } from './waker.ts';

/** What one pass says about the next: at once, after `idleMs`, or after a given time. */
export type LoopAnswer = 'more' | 'idle' | { readonly waitMs: number };

/** How to run a loop. */
export interface LoopOptions {
  /** For log lines. */
  readonly name: string;
  /** One pass; gets the stop signal, but should finish the transaction in hand. */
  readonly runOnce: (signal: AbortSignal) => Promise<LoopAnswer>;
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Pause after `idle`, milliseconds: loop_delay. */
  readonly idleMs: number;
  /** Longest pause after failures, milliseconds: exception_sleep. Default 20 s. */
  readonly maxBackoffMs?: number | undefined;
  /** First pause after a failure, milliseconds. Default 1 s. */
  readonly minBackoffMs?: number | undefined;
  /** Ends idle waits early. */
  readonly waker?: Waker | undefined;
  /** `once`: a single pass, failures are thrown. `idle`: stop at the first `idle`, failures are thrown. Default: run until stopped. */
  readonly until?: 'once' | 'idle' | 'stopped' | undefined;
  /** Called with every failure before the pause, for example to store it where status shows it. */
  readonly onError?: ((error: unknown) => Promise<void> | void) | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: (() => number) | undefined;
}

/** After this many failures in a row a warning becomes an error. */
const ERROR_AFTER = 3;

/**
 * Run until the signal aborts (or as `until` says).
 * Failures with retry policy `never` end the loop; all others are repeated with growing pauses, reset by a success.
 * @throws the failure whose policy is `never`; any failure when `until` is `once` or `idle`
 */
export async function runLoop(options: LoopOptions): Promise<void> {
  const { signal, log, name, until = 'stopped', clock = systemClock } = options;
  const backoff = createBackoff({
    minMs: options.minBackoffMs ?? 1000,
    maxMs: Math.max(options.maxBackoffMs ?? 20_000, 1),
    random: options.random,
  });
  while (!signal.aborted) {
    let answer: LoopAnswer;
    try {
      answer = await options.runOnce(signal);
    } catch (error) {
      if (signal.aborted) {
        if (!isAbort(error)) log.warn(`${name}: failed while stopping: ${errorLine(error)}`);
        return;
      }
      await reportTo(options, error);
      if (until !== 'stopped' || retryPolicyOf(error) === 'never') throw error;
      const pauseMs = backoff.next();
      report(options, error, backoff.failures, pauseMs);
      await clock.sleep(pauseMs, signal);
      continue;
    }
    if (backoff.failures > 0) log.info(`${name}: works again after ${backoff.failures} failed attempts`);
    backoff.reset();
    if (until === 'once' || (until === 'idle' && answer === 'idle')) return;
    if (answer === 'more') await yieldToOthers();
    else await pause(options, clock, answer === 'idle' ? options.idleMs : answer.waitMs);
  }
}

async function reportTo(options: LoopOptions, error: unknown): Promise<void> {
  try {
    await options.onError?.(error);
  } catch (second) {
    options.log.debug(`${options.name}: the failure could not be stored: ${errorLine(second)}`);
  }
}

function report(options: LoopOptions, error: unknown, failures: number, pauseMs: number): void {
  const { log, name } = options;
  const text = `${name}: ${errorLine(error)} (attempt ${failures}, next in ${(pauseMs / 1000).toFixed(1)}s)`;
  if (failures < ERROR_AFTER && retryPolicyOf(error) === 'timed') log.warn(text);
  else log.error(text);
  if (log.isLevelEnabled('debug')) log.debug(errorStack(error));
}

async function pause(options: LoopOptions, clock: Clock, ms: number): Promise<void> {
  const { waker, signal } = options;
  return waker ? sleepUntilWoken(ms, waker, signal, clock) : clock.sleep(ms, signal);
}

/* A loop that always has more must not starve timers and signals. */
const yieldToOthers = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
