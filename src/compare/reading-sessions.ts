/** Sessions that read one side at a moment. */
import { openSession, type Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import type { CompareContext } from './compare-context.ts';

/** Sums are grouped by an expression whose few values the planner cannot foresee: it would sort the whole table. */
export const GROUP_BY_HASH = `set enable_sort = off; set work_mem = '32MB'`;
/** Temporary table of the provider's sessions that rows are fetched from by key. Making one takes longer than connecting. */
export const KEY_TABLE = 'create temp table kaja_key (k text[] collate "C") on commit delete rows';

/** Reading sessions; all or none. @param keyTable with the temporary table kaja_key */
export async function openReaders(
  context: CompareContext,
  location: string,
  count: number,
  keyTable = false,
): Promise<Session[]> {
  const { applicationName, signal } = context;
  const results = await Promise.allSettled(
    Array.from({ length: count }, async () => {
      const session = await openSession(location, {
        purpose: 'read',
        applicationName,
        signal,
        statementTimeoutMs: context.limits.statementTimeoutMs,
      });
      await session.query(keyTable ? `${GROUP_BY_HASH}; ${KEY_TABLE}` : GROUP_BY_HASH);
      return session;
    }),
  );
  const sessions = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = results.find((result) => result.status === 'rejected');
  if (!failed) return sessions;
  await Promise.all(sessions.map((session) => session.close()));
  throw failed.reason;
}

/** A worker left the tick it was held at. */
export const notStayed = (worker: string, tick: bigint, position: bigint): KajaError =>
  new KajaError('state-refused', `worker ${worker} did not stay at tick ${tick}, it went on to ${position}`, {
    exitCode: 2,
    hint: 'try again',
  });

/** Let sessions read under one snapshot, taken now. */
export async function shareSnapshot(sessions: readonly Session[]): Promise<void> {
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

/** Tick that a node shows to a session. */
export async function positionOf(session: Session, queue: string, consumer: string): Promise<bigint> {
  const position = await session.value<bigint>(
    'select last_tick_id from pgq_node.local_state where queue_name = $1 and consumer_name = $2',
    [queue, consumer],
  );
  return position ?? -1n;
}
