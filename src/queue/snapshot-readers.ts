/** Sessions that read the provider exactly as it was at a tick, without hindering its writers. */
import { quoteFqName } from '../db/names.ts';
import { openSession, type Session } from '../db/session.ts';
import type { SessionPurpose } from '../db/session-settings.ts';

const LOCK_MS = 1000;

/** Readers at a tick. Every session has an open REPEATABLE READ transaction on the tick's snapshot. */
export interface SnapshotReaders {
  readonly tick: bigint;
  readonly sessions: readonly Session[];
  /** End the transactions and close the sessions. Never throws. */
  close(): Promise<void>;
}

/** What to prepare at the tick. */
export interface SnapshotRequest {
  readonly location: string;
  readonly queue: string;
  /**
   * Logical names of the tables that will be read. They are locked (ACCESS SHARE, as any SELECT does) before the snapshot is taken: to
   * an older snapshot a table that TRUNCATE or ALTER TABLE rewrote afterwards would look empty.
   */
  readonly tables: readonly string[];
  /** Number of reading sessions, at least 1. */
  readonly readers: number;
  /** Register (or move) this consumer at the tick, so that the events after it are kept. */
  readonly consumer?: string | undefined;
  readonly applicationName: string;
  /** Statements for each reading session before its transaction begins: temporary tables. */
  readonly prepare?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Sessions that were opened ahead. */
  readonly opened?: Promise<ReaderSessions> | undefined;
}

/** Sessions without a snapshot yet. */
export interface ReaderSessions {
  readonly maker: Session;
  readonly sessions: readonly Session[];
  /** Close the reading sessions. Never throws. */
  close(): Promise<void>;
}

/** Connect, all at once: whoever is in a hurry afterwards does it ahead. */
export async function openReaderSessions(request: SnapshotRequest): Promise<ReaderSessions> {
  const { location, applicationName, signal, prepare } = request;
  const open = async (purpose: SessionPurpose): Promise<Session> => {
    const session = await openSession(location, { purpose, applicationName, signal });
    if (prepare && purpose === 'read') await session.query(prepare);
    return session;
  };
  const readers = Array.from({ length: Math.max(1, request.readers) }, () => open('read'));
  const results = await Promise.allSettled([open('admin'), ...readers]);
  const opened = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const [maker, ...sessions] = opened;
  const failed = results.find((result) => result.status === 'rejected');
  if (failed || !maker) {
    await Promise.all(opened.map((session) => session.close()));
    throw failed?.reason;
  }
  return {
    maker,
    sessions,
    close: async () => {
      await Promise.all(sessions.map((session) => session.close()));
    },
  };
}

/**
 * Make a tick out of a snapshot and let several sessions read under it.
 * While the snapshot is taken no other tick can be made (milliseconds); writers are not hindered.
 * @throws KajaError when the queue is unknown or the connection fails
 */
export async function openReadersAtTick(request: SnapshotRequest): Promise<SnapshotReaders> {
  const { maker, sessions, close } = await (request.opened ?? openReaderSessions(request));
  const { queue } = request;
  try {
    const lock = lockStatement(await physicalNames(maker, queue, request.tables));
    await maker.query('select kaja.lock_ticks($1)', [queue]);
    const tick = await maker.transaction(
      async () => {
        // LOCK takes no snapshot; the export after it does.
        if (lock) await maker.query(lock);
        const exported = await maker.value<string>('select pg_export_snapshot()');
        const made = (await maker.value<bigint>('select kaja.tick_at_snapshot($1)', [queue])) as bigint;
        if (request.consumer)
          await maker.query('select pgq.register_consumer_at($1, $2, $3)', [queue, request.consumer, made]);
        await Promise.all(
          sessions.map((session) =>
            session.query(
              `begin isolation level repeatable read read only; set transaction snapshot '${exported}'${lock ? `; ${lock}` : ''}`,
            ),
          ),
        );
        return made;
      },
      { isolation: 'repeatable read' },
    );
    return { tick, sessions, close };
  } catch (error) {
    await close();
    throw error;
  } finally {
    // Closing the session gives the tick lock back, whatever happened; others wait for that, not we.
    void maker.close();
  }
}

async function physicalNames(session: Session, queue: string, tables: readonly string[]): Promise<string[]> {
  const rows = await session.query<{ name: string }>(
    `select coalesce(dest_table, table_name) as name from londiste.table_info
      where queue_name = $1 and table_name = any ($2::text[]) and to_regclass(londiste.quote_fqname(coalesce(dest_table, table_name))) is not null`,
    [queue, tables],
  );
  return rows.map((row) => quoteFqName(row.name));
}

/** Ticks wait while the lock is waited for, so not for long; the caller tries again. */
const lockStatement = (names: readonly string[]): string | undefined =>
  names.length === 0
    ? undefined
    : `set local lock_timeout = '${LOCK_MS}ms'; lock table ${names.join(', ')} in access share mode; set local lock_timeout = 0`;
