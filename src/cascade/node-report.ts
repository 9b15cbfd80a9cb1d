/** One node's state for `status`, read with two or three queries. */
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { type Dict, parseDict } from '../queue/urlencoded-dict.ts';
import { type NodeInfo, needNodeInfo } from './node-info.ts';

/** A table that is not in order: not copied yet, or diverged. */
export interface TableReport {
  readonly table: string;
  /** As in londiste.table_info; null: waits for its copy. */
  readonly mergeState: string | null;
  readonly rowsCopied: bigint | null;
  /** By the provider's statistics. */
  readonly rowsTotal: bigint | null;
  readonly rowsPerSecond: number | null;
  readonly secondsLeft: number | null;
  readonly copyError: string | null;
  readonly updateMissing: bigint;
  readonly deleteMissing: bigint;
  readonly insertFound: bigint;
  readonly lastDiverged: string | null;
}

/** State of a node that answered. */
export interface NodeReport {
  readonly info: NodeInfo;
  /** Age of the newest tick in seconds; null on leafs, which have no queue. */
  readonly tickerLagSeconds: number | null;
  readonly tables: { readonly ok: number; readonly half: number; readonly ignored: number };
  /** Consumers of this node (worker and copies) that failed. */
  readonly errors: readonly { readonly consumer: string; readonly error: string }[];
  readonly subscribers: readonly string[];
  readonly attrs: Dict;
  readonly troubled: readonly TableReport[];
}

interface SummaryRow {
  readonly lag: number | null;
  readonly ok: bigint;
  readonly half: bigint;
  readonly ignored: bigint;
  readonly consumers: string[];
  readonly errors: string[];
  readonly subscribers: string[];
  readonly detailed: boolean;
}

const SUMMARY = `
  select (select extract(epoch from q.ticker_lag)::float8 from pgq.get_queue_info($1) q) as lag,
         t.ok, t.half, t.ignored, c.consumers, c.errors,
         array(select s.node_name from pgq_node.get_subscriber_info($1) s order by s.node_name) as subscribers,
         pg_catalog.to_regclass('kaja.table_stats') is not null as detailed
    from (select count(*) filter (where i.local and i.merge_state = 'ok') as ok,
                 count(*) filter (where i.local and i.merge_state is distinct from 'ok') as half,
                 count(*) filter (where not i.local) as ignored
            from londiste.table_info i where i.queue_name = $1) t,
         (select coalesce(pg_catalog.array_agg(s.consumer_name order by s.consumer_name), '{}') as consumers,
                 coalesce(pg_catalog.array_agg(s.cur_error order by s.consumer_name), '{}') as errors
            from pgq_node.get_consumer_info($1) s where s.cur_error is not null) c`;

const DETAILS = `
  select i.table_name as "table", i.merge_state as "mergeState", c.rows_copied as "rowsCopied", c.rows_total as "rowsTotal",
         case when i.merge_state = 'in-copy' and c.finished_at is null
              then extract(epoch from pg_catalog.clock_timestamp() - c.started_at)::float8 end as seconds,
         c.last_error as "copyError", coalesce(s.update_missing, 0) as "updateMissing",
         coalesce(s.delete_missing, 0) as "deleteMissing", coalesce(s.insert_found, 0) as "insertFound",
         s.last_diverged::text as "lastDiverged"
    from londiste.table_info i
    left join kaja.table_copy c on c.queue_name = i.queue_name and c.table_name = i.table_name
    left join kaja.table_stats s on s.queue_name = i.queue_name and s.table_name = i.table_name
   where i.queue_name = $1 and i.local
     and (i.merge_state is distinct from 'ok' or s.update_missing + s.delete_missing + s.insert_found > 0)
   order by i.nr, i.table_name`;

/**
 * Read a node.
 * @param known what was read about the node just now, if anything
 * @throws KajaError not-a-node, not-installed
 */
export async function readNodeReport(session: Session, queue: string, known?: NodeInfo): Promise<NodeReport> {
  const info = known ?? (await needNodeInfo(session, queue));
  const row = await session.one<SummaryRow>(SUMMARY, [queue]);
  return {
    info,
    tickerLagSeconds: info.type === 'leaf' || row.lag === null ? null : Math.max(0, row.lag),
    tables: { ok: Number(row.ok), half: Number(row.half), ignored: Number(row.ignored) },
    errors: row.consumers.map((consumer, at) => ({ consumer, error: row.errors[at] ?? '' })),
    subscribers: row.subscribers,
    attrs: parseDict(info.attrs),
    // Absent where the original Londiste serves the node.
    troubled: row.detailed && row.ok + row.half > 0n ? await readTroubled(session, queue) : [],
  };
}

type DetailRow = Omit<TableReport, 'rowsPerSecond' | 'secondsLeft'> & { readonly seconds: number | null };

async function readTroubled(session: Session, queue: string): Promise<TableReport[]> {
  try {
    const rows = await session.query<DetailRow>(DETAILS, [queue]);
    return rows.map(({ seconds, ...row }) => ({ ...row, ...paceOf(row, seconds) }));
  } catch (error) {
    // Who may only read the queue still gets the rest.
    if (error instanceof KajaError && error.code === 'permission-denied') return [];
    throw error;
  }
}

/** Speed of a running copy and the time it still needs; null where that is not known. */
export function paceOf(
  copy: { readonly rowsCopied: bigint | null; readonly rowsTotal: bigint | null },
  seconds: number | null,
): { rowsPerSecond: number | null; secondsLeft: number | null } {
  const rows = Number(copy.rowsCopied ?? 0n);
  if (seconds === null || seconds <= 0 || rows === 0) return { rowsPerSecond: null, secondsLeft: null };
  const rowsPerSecond = rows / seconds;
  const left = copy.rowsTotal === null ? -1 : Number(copy.rowsTotal) - rows;
  return {
    rowsPerSecond: Math.round(rowsPerSecond),
    // The total is an estimate: a copy beyond it may take any time.
    secondsLeft: left < 0 ? null : Math.round(left / rowsPerSecond),
  };
}
