/** Old transactions: they hold back ticks, rotation and vacuum. */
import { quoteLiteral } from '../db/names.ts';
import type { SideCheck } from './check.ts';
import { duration, info, ok, type Verdict, warning } from './finding.ts';

/** A session in a transaction that has a snapshot or has written. */
export interface OldTransaction {
  readonly pid: number;
  readonly database: string | null;
  readonly user: string | null;
  readonly application: string;
  readonly state: string | null;
  readonly seconds: number;
}

/** A prepared transaction. */
export interface PreparedTransaction {
  readonly gid: string;
  readonly database: string;
  readonly owner: string;
  readonly seconds: number;
}

/** What was seen. */
export interface TransactionState {
  readonly old: readonly OldTransaction[];
  readonly prepared: readonly PreparedTransaction[];
  /** Sessions in transactions whose age this role may not see. */
  readonly hidden: number;
}

/**
 * Judge transactions.
 * @param limitSeconds prepared ones older than this are worth a warning
 * @param role for the remedies
 */
export function judgeTransactions(state: TransactionState, limitSeconds: number, role: string): Verdict[] {
  const list: Verdict[] = state.old.map((one) =>
    warning(
      `transaction of pid ${one.pid} (${one.user ?? '?'} in ${one.database ?? '?'}${one.application ? `, ${one.application}` : ''}, ${one.state ?? '?'}) is open for ${duration(one.seconds)}: it holds back rotation and vacuum`,
      `end it in its program, or: select pg_terminate_backend(${one.pid})`,
    ),
  );
  for (const one of state.prepared) {
    const what = `prepared transaction ${one.gid} (${one.owner} in ${one.database}) waits for ${duration(one.seconds)}`;
    list.push(
      one.seconds > limitSeconds
        ? warning(
            `${what}: it holds back rotation and vacuum`,
            `in database ${one.database}: rollback prepared ${quoteLiteral(one.gid)}, or commit prepared`,
          )
        : info(what),
    );
  }
  if (state.hidden > 0)
    list.push(
      info(
        `${state.hidden} transactions of other roles cannot be seen`,
        `grant pg_read_all_stats to ${role}`,
      ),
    );
  return list.length > 0 ? list : [ok('no old transactions')];
}

/** Old and prepared transactions of the whole server. */
export const checkTransactions: SideCheck = {
  name: 'transactions',
  async run({ session, rights }, { limits }) {
    const limit = limits.longTransactionSeconds;
    const old = await session.query<OldTransaction>(
      `select a.pid, a.datname::text as database, a.usename::text as user, a.application_name as application, a.state,
              extract(epoch from clock_timestamp() - a.xact_start)::float8 as seconds
         from pg_stat_activity a
        where a.pid <> pg_backend_pid() and (a.backend_xid is not null or a.backend_xmin is not null)
          and a.backend_type in ('client backend', 'walsender')
          and a.xact_start < clock_timestamp() - pg_catalog.make_interval(secs => $1::float8)
        order by a.xact_start`,
      [limit],
    );
    const prepared = await session.query<PreparedTransaction>(
      `select p.gid, p.database::text, p.owner::text, extract(epoch from clock_timestamp() - p.prepared)::float8 as seconds
         from pg_prepared_xacts p order by p.prepared`,
    );
    const hidden = await session.value<number>(
      `select count(*)::int4 from pg_stat_activity a
        where a.xact_start is null and (a.backend_xid is not null or a.backend_xmin is not null) and a.backend_type = 'client backend'`,
    );
    return judgeTransactions({ old, prepared, hidden: hidden ?? 0 }, limit, rights.role);
  },
};
