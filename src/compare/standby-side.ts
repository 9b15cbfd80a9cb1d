/**
 * A hot standby of the root as the side that is compared with. It cannot make ticks; so its snapshot is made a tick on the root, which
 * waits meanwhile with further ones: what the standby shows then is exactly what a worker has applied at that tick.
 */
import { quoteFqName } from '../db/names.ts';
import { openSession, type Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { sleep } from '../runtime/sleep.ts';
import type { CompareContext } from './compare-context.ts';
import type { MomentRequest } from './moment.ts';
import type { OtherSide } from './other-side.ts';
import { GROUP_BY_HASH } from './reading-sessions.ts';

const POLL_MS = 5;
/** Ticks of the root wait at most so long for the standby. */
const TICK_WAIT_MS = 2_000;
const ATTEMPTS = 5;
const TABLE_LOCK_MS = 1_000;

/** See `OtherSide`. */
export function standbySide(context: CompareContext, request: MomentRequest): OtherSide {
  const { applicationName, signal, queue, providerLocation, rootLocation, waitMs } = context;
  let maker: Session | undefined;
  let sessions: readonly Session[] = [];
  const refused = (what: string, hint: string): KajaError =>
    new KajaError('state-refused', `standby ${sessions[0]?.location ?? ''} ${what}`, { exitCode: 2, hint });
  /** Wait until the standby has everything that is committed on the root. */
  const follows = async (root: Session, limitMs: number): Promise<boolean> => {
    const [standby] = sessions;
    const lsn = await flushedPosition(root);
    const deadline = limitMs > 0 ? Date.now() + limitMs : Number.POSITIVE_INFINITY;
    for (;;) {
      if (await standby?.value<boolean>('select pg_last_wal_replay_lsn() >= $1::pg_lsn', [lsn])) return true;
      if (Date.now() >= deadline) return false;
      await sleep(POLL_MS, signal);
    }
  };
  const tick = async (root: Session): Promise<bigint> => {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (!(await follows(root, waitMs))) break;
      await root.query('select kaja.lock_ticks($1)', [queue]);
      if (await follows(root, TICK_WAIT_MS)) return makeTick(context, request, root, sessions);
      await root.query('select kaja.unlock_ticks($1)', [queue]);
    }
    throw refused('does not keep up with the root', 'wait longer with --wait, or leave --source out');
  };
  return {
    connect: async () => {
      const results = await Promise.allSettled([
        openSession(rootLocation, { purpose: 'admin', applicationName, signal }),
        ...Array.from({ length: request.readers }, async () => {
          const session = await openSession(providerLocation, {
            purpose: 'read',
            applicationName,
            signal,
            statementTimeoutMs: context.limits.statementTimeoutMs,
          });
          await session.query(GROUP_BY_HASH);
          return session;
        }),
      ]);
      const [first, ...others] = results;
      if (first?.status === 'fulfilled') maker = first.value;
      sessions = others.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      const failed = results.find((one) => one.status === 'rejected');
      if (failed) throw failed.reason;
    },
    tick: async () => {
      const root = maker as Session;
      try {
        return await tick(root);
      } finally {
        // Closing the session gives the tick lock back, whatever happened.
        await root.close();
      }
    },
    read: async () => sessions,
    release: async () => {},
    close: async () => {
      await Promise.all([maker?.close(), ...sessions.map((session) => session.close())]);
    },
  };
}

/** Position in the WAL behind everything committed so far, on disk: only that is sent to standbys. Ticks do not wait for the disk themselves. */
async function flushedPosition(root: Session): Promise<string> {
  await root.transaction(async () => {
    await root.query(
      `set local synchronous_commit = local; select pg_logical_emit_message(true, 'kaja', '')`,
    );
  });
  return (await root.value<string>('select pg_current_wal_flush_lsn()::text')) ?? '0/0';
}

/** Take a snapshot of the standby, share it among the sessions, and make it a tick on the root. */
async function makeTick(
  { queue, providerLocation, applicationName, signal }: CompareContext,
  request: MomentRequest,
  root: Session,
  sessions: readonly Session[],
): Promise<bigint> {
  const [first, ...others] = sessions;
  if (!first) throw new KajaError('internal', 'no session reads the standby');
  const names = await first.query<{ name: string }>(
    `select coalesce(dest_table, table_name) as name from londiste.table_info
      where queue_name = $1 and table_name = any ($2::text[]) and to_regclass(londiste.quote_fqname(coalesce(dest_table, table_name))) is not null`,
    [queue, request.tables],
  );
  const tables = names.map((row) => quoteFqName(row.name));
  const lock =
    tables.length === 0
      ? ''
      : `; set local lock_timeout = '${TABLE_LOCK_MS}ms'; lock table ${tables.join(', ')} in access share mode; set local lock_timeout = 0`;
  // LOCK takes no snapshot; the export after it does.
  await first.query(`begin isolation level repeatable read read only${lock}`);
  const exported = await first.value<string>('select pg_export_snapshot()');
  const join = `begin isolation level repeatable read read only; set transaction snapshot '${exported}'`;
  await Promise.all(others.map((session) => session.query(`${join}${lock}`)));
  // A session of its own: rotation empties event tables, and replay would wait for whoever still has them locked.
  await using scout = await openSession(providerLocation, { purpose: 'read', applicationName, signal });
  await scout.query(join);
  const { snapshot, xmin, events } = await scout.one<{ snapshot: string; xmin: bigint; events: string }>(
    `select txid_current_snapshot()::text as snapshot, txid_snapshot_xmin(txid_current_snapshot()) as xmin, pgq.quote_fqname(q.queue_data_pfx) as events
       from pgq.queue q where q.queue_name = $1`,
    [queue],
  );
  const visible = await scout.value<string>(
    `select array(select distinct e.ev_txid from ${events} e where e.ev_txid >= $1)::text`,
    [xmin],
  );
  await scout.close();
  const deadline = Date.now() + TICK_WAIT_MS;
  for (;;) {
    const made = await root.value<bigint | null>(
      'select kaja.tick_of_standby($1, $2::txid_snapshot, $3::int8[])',
      [queue, snapshot, visible],
    );
    if (typeof made === 'bigint') return made;
    if (Date.now() >= deadline)
      throw new KajaError('state-refused', 'the root does not show yet what its standby shows', {
        exitCode: 2,
        hint: 'does it wait for a synchronous standby? try again',
      });
    await sleep(POLL_MS, signal);
  }
}
