/** One logical moment on both sides: the provider as it was at a tick, this node when its worker stood exactly there. No table is locked. */
import { openSession, type Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import {
  openReaderSessions,
  openReadersAtTick,
  type SnapshotReaders,
  type SnapshotRequest,
} from '../queue/snapshot-readers.ts';
import { failpoint } from '../runtime/failpoint.ts';
import type { CompareContext } from './compare-context.ts';
import { type Hold, placeHold } from './hold.ts';

/** Sums are grouped by an expression whose few values the planner cannot foresee: it would sort the whole table. */
const GROUP_BY_HASH = `set enable_sort = off; set work_mem = '32MB'`;
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
  const snapshot: SnapshotRequest = {
    location: context.providerLocation,
    queue: context.queue,
    tables: request.tables,
    readers: request.readers,
    applicationName,
    prepare: `${GROUP_BY_HASH}; ${KEY_TABLE}`,
    signal,
  };
  // Everything connects at once; what the worker has to wait for comes after that.
  const opened = openReaderSessions(snapshot);
  const lanes = openHere(context, request.readersHere);
  const ready = await Promise.allSettled([
    placeHold(context.location, context.queue, context.consumer, applicationName),
    opened,
    lanes,
    wakeWorker(context),
  ]);
  const [held, connected, local] = ready;
  const hold = held.status === 'fulfilled' ? held.value : undefined;
  const here = local.status === 'fulfilled' ? local.value : [];
  let readers: SnapshotReaders | undefined;
  let stoodFrom: number | undefined;
  const release = async (): Promise<void> => {
    await hold?.release();
    if (stoodFrom !== undefined)
      log.info(`worker stood for ${((Date.now() - stoodFrom) / 1000).toFixed(2)} s`);
    stoodFrom = undefined;
  };
  const close = async (): Promise<void> => {
    await release();
    const unused = readers || connected.status === 'rejected' ? undefined : connected.value;
    const open = [readers?.close(), unused?.close(), unused?.maker.close()];
    await Promise.all([...open, ...here.map((session) => session.close())]);
  };
  try {
    const failed = ready.find((result) => result.status === 'rejected');
    if (failed || !hold) throw failed?.reason;
    let exact = await hold.reached(context.waitMs, signal);
    if (exact) stoodFrom = Date.now();
    else await refuseOr(request.force, context, hold, undefined);
    readers = await openReadersAtTick({ ...snapshot, opened });
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

/** Reading sessions on this node; all or none. */
async function openHere(context: CompareContext, count: number): Promise<Session[]> {
  const { location, applicationName, signal } = context;
  const results = await Promise.allSettled(
    Array.from({ length: count }, async () => {
      const session = await openSession(location, { purpose: 'read', applicationName, signal });
      await session.query(`${GROUP_BY_HASH}; ${DIFF_TABLES}`);
      return session;
    }),
  );
  const sessions = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = results.find((result) => result.status === 'rejected');
  if (!failed) return sessions;
  await Promise.all(sessions.map((session) => session.close()));
  throw failed.reason;
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
  await first.query('begin isolation level repeatable read');
  const exported = await first.value<string>('select pg_export_snapshot()');
  await Promise.all(
    others.map((session) =>
      session.query(
        `begin isolation level repeatable read read only; set transaction snapshot '${exported}'`,
      ),
    ),
  );
}

async function positionOf(session: Session, context: CompareContext): Promise<bigint> {
  const position = await session.value<bigint>(
    'select last_tick_id from pgq_node.local_state where queue_name = $1 and consumer_name = $2',
    [context.queue, context.consumer],
  );
  return position ?? -1n;
}
