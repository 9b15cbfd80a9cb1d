/** One logical moment on both sides: the provider as it was at a tick, this node when its worker stood exactly there. No table is locked. */
import { openSession, type Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { openReadersAtTick, type SnapshotReaders } from '../queue/snapshot-readers.ts';
import { failpoint } from '../runtime/failpoint.ts';
import type { CompareContext } from './compare-context.ts';
import { type Hold, placeHold } from './hold.ts';

/** Temporary tables of the sessions that look for differing rows. */
const KEY_TABLE = 'create temp table kaja_key (k text[] collate "C") on commit delete rows';
const DIFF_TABLES = `create temp table kaja_their (k text[] collate "C", h int8) on commit delete rows;
  create temp table kaja_our (k text[] collate "C", h int8) on commit delete rows;
  create temp table kaja_diff (k text[] collate "C", theirs int8, ours int8) on commit delete rows`;

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
  /** Each with an open REPEATABLE READ transaction and the temporary table kaja_key. */
  readonly provider: readonly Session[];
  /** The same here, with kaja_their, kaja_our and kaja_diff. */
  readonly here: readonly Session[];
  /** Let the worker go on; tells the log how long it stood. */
  release(): Promise<void>;
  /** Release and close everything. Never throws. */
  close(): Promise<void>;
}

/**
 * Bring both sides to one moment.
 * @throws KajaError state-refused (exit code 2) when the worker does not get there within `waitMs`
 */
export async function reachMoment(context: CompareContext, request: MomentRequest): Promise<Moment> {
  const { log, signal, applicationName } = context;
  const hold = await placeHold(context.location, context.queue, context.consumer, applicationName);
  const here: Session[] = [];
  let readers: SnapshotReaders | undefined;
  let stoodFrom: number | undefined;
  const release = async (): Promise<void> => {
    await hold.release();
    if (stoodFrom !== undefined)
      log.info(`worker stood for ${((Date.now() - stoodFrom) / 1000).toFixed(2)} s`);
    stoodFrom = undefined;
  };
  const close = async (): Promise<void> => {
    await release();
    await Promise.all([readers?.close(), ...here.map((session) => session.close())]);
  };
  try {
    for (let n = 0; n < request.readersHere; n++)
      here.push(await openSession(context.location, { purpose: 'read', applicationName, signal }));
    await wakeWorker(context);
    let exact = await hold.reached(context.waitMs, signal);
    if (exact) stoodFrom = Date.now();
    else await refuseOr(request.force, context, hold, undefined);
    readers = await openReadersAtTick({
      location: context.providerLocation,
      queue: context.queue,
      tables: request.tables,
      readers: request.readers,
      applicationName,
      prepare: KEY_TABLE,
      signal,
    });
    const { tick, sessions } = readers;
    if (exact) {
      await hold.moveTo(tick);
      const from = await hold.position();
      exact = await hold.reached(context.waitMs, signal, (at) =>
        context.onProgress('worker catches up', Number(at - from), Number(tick - from)),
      );
      if (!exact) await refuseOr(request.force, context, hold, tick);
    }
    failpoint('hold-reached');
    await shareSnapshot(here);
    const position = here[0] ? await positionOf(here[0], context) : await hold.position();
    // The hold may have expired while this process was stopped; what counts is what its snapshot shows.
    if (exact && position !== tick) {
      throw new KajaError('state-refused', `worker did not stay at tick ${tick}, it went on to ${position}`, {
        exitCode: 2,
        hint: 'try again',
      });
    }
    if (!request.keep) await release();
    return { tick, exact, provider: sessions, here, release, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** An idle worker looks for holds once per loop_delay; a notification makes it look at once. */
async function wakeWorker(context: CompareContext): Promise<void> {
  const session = await openSession(context.workerProviderLocation, {
    purpose: 'admin',
    applicationName: context.applicationName,
    signal: context.signal,
  });
  await session.query(`select pg_notify('kaja_tick', $1)`, [context.queue]).finally(() => session.close());
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

async function shareSnapshot(sessions: readonly Session[]): Promise<void> {
  const [first, ...others] = sessions;
  if (!first) return;
  for (const session of sessions) await session.query(DIFF_TABLES);
  await first.query('begin isolation level repeatable read');
  const exported = await first.value<string>('select pg_export_snapshot()');
  for (const session of others)
    await session.query(
      `begin isolation level repeatable read read only; set transaction snapshot '${exported}'`,
    );
}

async function positionOf(session: Session, context: CompareContext): Promise<bigint> {
  const position = await session.value<bigint>(
    'select last_tick_id from pgq_node.local_state where queue_name = $1 and consumer_name = $2',
    [context.queue, context.consumer],
  );
  return position ?? -1n;
}
