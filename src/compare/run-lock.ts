/** One comparison or repair of a node at a time, whoever starts it: an advisory lock that the session of the run holds in the node's database. */
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';

/** Name of the lock. */
export const runLockName = (queue: string): string => `kaja compare ${queue}`;

/** Who holds an advisory lock. */
export interface LockHolder {
  /** Application name of its session; null where this role may not see it. */
  readonly name: string | null;
  /** Since when it is connected, as the server writes it. */
  readonly since: string | null;
}

/** Take the lock until the session ends. @returns false when another run has it */
export const takeRunLock = async (session: Session, queue: string): Promise<boolean> =>
  (await session.value<boolean>('select pg_try_advisory_lock(hashtextextended($1, 0))', [
    runLockName(queue),
  ])) ?? false;

/**
 * As `takeRunLock`.
 * @throws KajaError busy (exit code 7) when another run has it
 */
export async function needRunLock(session: Session, queue: string): Promise<void> {
  if (!(await takeRunLock(session, queue))) throw await busyError(session, queue);
}

/** What is said when the lock is taken. */
export async function busyError(session: Session, queue: string): Promise<KajaError> {
  const holder = await runHolder(session, queue);
  const who = holder?.name ? `: ${holder.name}, since ${holder.since?.slice(0, 19)}` : '';
  return new KajaError('busy', `another comparison or repair of this node is running${who}`, {
    hint: 'wait until it has ended',
  });
}

/** The run that has the lock; undefined: there is none. */
export const runHolder = (session: Session, queue: string): Promise<LockHolder | undefined> =>
  lockHolder(session, runLockName(queue));

/** The session that holds the advisory lock `hashtextextended(name, 0)`; undefined: there is none. */
export async function lockHolder(session: Session, name: string): Promise<LockHolder | undefined> {
  const [row] = await session.query<LockHolder>(`${lockHolders('$1')} limit 1`, [name]);
  return row;
}

/** A query for them. @param name an SQL expression */
export const lockHolders = (name: string): string =>
  `select nullif(a.application_name, '') as name, a.backend_start as since
     from hashtextextended(${name}, 0) k
     join pg_locks l on l.locktype = 'advisory' and l.objsubid = 1 and l.granted
      and l.database = (select oid from pg_database where datname = current_database())
      and l.classid::int8 = ((k >> 32) & 4294967295) and l.objid::int8 = (k & 4294967295)
     left join pg_stat_activity a on a.pid = l.pid`;
