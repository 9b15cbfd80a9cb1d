/** One logical moment on both sides: the provider as it was at a tick, this node when its worker stood exactly there. No table is locked. */
import { openSession, type Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { failpoint } from '../runtime/failpoint.ts';
import type { CompareContext } from './compare-context.ts';
import { type Hold, placeHold } from './hold.ts';
import { otherSide } from './other-side.ts';
import { notStayed, openReaders, positionOf, shareSnapshot } from './reading-sessions.ts';

/** What is wanted of a moment. */
export interface MomentRequest {
  /** Logical names of the tables that will be read. */
  readonly tables: readonly string[];
  /** Reading sessions on the provider, at least 1. */
  readonly readers: number;
  /** Reading sessions on this node; 0: none, only the worker stands. */
  readonly readersHere: number;
  /** Keep the worker standing until `release`. */
  readonly keep: boolean;
  /** When the worker does not get there in time, go on without it. */
  readonly force: boolean;
}

/** Both sides at one moment. */
export interface Moment {
  readonly tick: bigint;
  /** False after force: this node may stand at another tick. */
  readonly exact: boolean;
  /** Each with an open REPEATABLE READ transaction; those of a moment to `keep` have the temporary table kaja_key. */
  readonly provider: readonly Session[];
  /** The same here. */
  readonly here: readonly Session[];
  /** How long the worker stood, in milliseconds; null while it stands, and when it did not. */
  stoodMs(): number | null;
  /** Let the worker go on; tells the log how long it stood. */
  release(): Promise<void>;
  /** Release, and close everything without waiting for it. Never throws. */
  close(): Promise<void>;
}

/**
 * Bring both sides to one moment.
 * @throws KajaError state-refused (exit code 2) when the worker does not get there within `waitMs`
 */
export async function reachMoment(context: CompareContext, request: MomentRequest): Promise<Moment> {
  const { log, signal, applicationName } = context;
  const other = otherSide(context, request);
  // Everything connects at once; what the worker has to wait for comes after that.
  const placed = placeHold(context.location, context.queue, context.consumer, applicationName);
  const ready = await Promise.allSettled([
    placed,
    openReaders(context, context.location, request.readersHere),
    other.connect(),
    wakeWorker(context, placed),
  ]);
  const [held, local] = ready;
  const hold = held.status === 'fulfilled' ? held.value : undefined;
  const here = local.status === 'fulfilled' ? local.value : [];
  let stoodFrom: number | undefined;
  let stood: number | null = null;
  const release = async (): Promise<void> => {
    await Promise.all([hold?.release(), other.release()]);
    if (stoodFrom === undefined) return;
    stood = Date.now() - stoodFrom;
    stoodFrom = undefined;
    log.info(`worker stood for ${(stood / 1000).toFixed(2)} s`);
  };
  const close = async (): Promise<void> => {
    await release();
    // Nothing waits until the servers have ended these sessions.
    void other.close();
    for (const session of here) void session.close();
  };
  try {
    const failed = ready.find((result) => result.status === 'rejected');
    if (failed || !hold) throw failed?.reason;
    // A worker that is not there will not come by itself.
    const runs = await hold.workerRuns();
    const absent = !runs && !context.waitForStart;
    if (!runs && !absent)
      log.warn(`worker ${context.consumer} is not running, waiting for it${limitText(context.waitMs)}`);
    let told = !runs;
    let exact =
      !absent &&
      (await hold.reached(context.waitMs, signal, (at) => {
        if (!told) log.info(`waiting for worker ${context.consumer}, it is at tick ${at}`);
        told = true;
      }));
    if (exact) stoodFrom = Date.now();
    else await refuseOr(request.force, context, hold, undefined);
    const tick = await other.tick();
    if (exact) {
      await hold.moveTo(tick);
      const from = await hold.position();
      exact = await hold.reached(context.waitMs, signal, (at) =>
        context.onProgress('worker catches up', Number(at - from), Number(tick - from)),
      );
      if (!exact) await refuseOr(request.force, context, hold, tick);
    }
    failpoint('hold-reached');
    const provider = await other.read();
    await shareSnapshot(here);
    const position = here[0]
      ? await positionOf(here[0], context.queue, context.consumer)
      : await hold.position();
    // The hold may have expired while this process was stopped; what counts is what its snapshot shows.
    if (exact && position !== tick) throw notStayed(context.consumer, tick, position);
    if (!request.keep) await release();
    return { tick, exact, provider, here, stoodMs: () => stood, release, close };
  } catch (error) {
    await close();
    throw error;
  }
}

const limitText = (waitMs: number): string => (waitMs > 0 ? ` for at most ${waitMs / 1000} s` : '');

/** An idle worker looks for holds once per loop_delay; a notification makes it look at once, when there is one to be seen. */
async function wakeWorker(context: CompareContext, placed: Promise<unknown>): Promise<void> {
  const session = await openSession(context.workerProviderLocation, {
    purpose: 'admin',
    applicationName: context.applicationName,
    signal: context.signal,
  });
  try {
    await placed;
    await session.query(`select pg_notify('kaja_tick', $1)`, [context.queue]);
  } finally {
    void session.close();
  }
}

async function refuseOr(
  force: boolean,
  context: CompareContext,
  hold: Hold,
  tick: bigint | undefined,
): Promise<void> {
  const place = tick === undefined ? '' : `: stands at tick ${await hold.position()}, wanted is ${tick}`;
  const why = (await hold.workerRuns())
    ? `worker ${context.consumer} is lagging${place}`
    : `worker ${context.consumer} is not running`;
  if (!force) {
    throw new KajaError('state-refused', why, {
      exitCode: 2,
      hint: 'start it, or wait longer with --wait, or compare anyway with --force',
    });
  }
  context.log.warn(`${why}; going on anyway, differences may be lag`);
}
