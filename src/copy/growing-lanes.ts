/**
 * As many lanes side by side as make the work faster. Two copies into one table can be slower than one: they wait for each other
 * where the table's file grows, and for the same processors. How many help is known only by trying.
 */
import { type Clock, systemClock } from '../runtime/clock.ts';

/** One lane works so long before a second is tried: many tables are through by then. */
const FIRST_MS = 2_500;
/** How long further lanes are watched. */
const WATCH_MS = 700;
/** Until a new lane is at work: connections, first rows. Not counted. */
const SETTLE_MS = 300;
/** A further lane must make the whole faster by this factor to stay. */
const WORTH = 1.2;

/** What to run. */
export interface GrowingLanes {
  /** Lanes at most. */
  readonly most: number;
  /**
   * Work on pieces until none is left.
   * @param goesOn asked before each piece but the first: false when this lane does not help
   */
  readonly lane: (n: number, goesOn: () => boolean) => Promise<void>;
  /** Work done so far by all lanes, in any unit. */
  readonly done: () => number;
}

/**
 * Begin with one lane and add others while each makes the whole faster.
 * @returns when all have ended
 * @throws what the first lane that failed threw, when all have ended
 */
export async function runGrowingLanes(lanes: GrowingLanes, clock: Clock = systemClock): Promise<void> {
  const { most, lane, done } = lanes;
  const running: Promise<void>[] = [];
  const ended = new AbortController();
  let keep = most;
  const start = (): void => {
    const n = running.length;
    const one = lane(n, () => n < keep);
    running.push(one);
    // No work is left, or it failed: either way there is nothing to try any more.
    one.then(
      () => n < keep && ended.abort(),
      () => ended.abort(),
    );
  };
  const rate = async (ms: number): Promise<number> => {
    const [before, startedMs] = [done(), clock.monotonicMs()];
    await clock.sleep(ms, ended.signal);
    return (done() - before) / (clock.monotonicMs() - startedMs);
  };
  start();
  let best = most > 1 ? await rate(FIRST_MS) : 0;
  while (running.length < keep && !ended.signal.aborted) {
    start();
    await clock.sleep(SETTLE_MS, ended.signal);
    const now = await rate(WATCH_MS);
    if (now < best * WORTH) keep = running.length - 1;
    best = now;
  }
  const results = await Promise.allSettled(running);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
