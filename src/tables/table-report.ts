/** What `tables` and `wait-sync` show about the local tables. */
import type { Session } from '../db/session.ts';
import { parseDict } from '../queue/urlencoded-dict.ts';

/** One local table. */
export interface TableReport {
  readonly tableName: string;
  readonly destName: string;
  readonly mergeState: string | null;
  readonly attrs: ReadonlyMap<string, string | null>;
  readonly style: string | null;
  /** Of the copy in hand or the last one; null when there was none here. */
  readonly rowsCopied: bigint | null;
  /** Estimate of the provider's statistics. */
  readonly rowsTotal: bigint | null;
  readonly bytesCopied: bigint | null;
  /** Since the copy began, or of the whole copy; null when unknown. */
  readonly rowsPerSecond: number | null;
  /** The copy has begun and has not ended. */
  readonly copying: boolean;
  readonly lastError: string | null;
  readonly updateMissing: bigint;
  readonly deleteMissing: bigint;
  readonly insertFound: bigint;
}

type ReportRow = Omit<TableReport, 'attrs' | 'rowsPerSecond'> & {
  attrs: string | null;
  seconds: number | null;
};

/** Read all local tables of a queue by name. */
export async function readTableReports(session: Session, queue: string): Promise<TableReport[]> {
  const rows = await session.query<ReportRow>(
    `select i.table_name as "tableName", coalesce(i.dest_table, i.table_name) as "destName", i.merge_state as "mergeState", i.table_attrs as attrs,
            coalesce(k.style, c.style) as style,
            case when k.started_at is not null then k.rows_copied end as "rowsCopied",
            case when k.started_at is not null then k.rows_total end as "rowsTotal",
            case when k.started_at is not null then k.bytes_copied end as "bytesCopied",
            extract(epoch from coalesce(k.finished_at, clock_timestamp()) - k.started_at)::float8 as seconds,
            k.started_at is not null and k.finished_at is null and i.merge_state = 'in-copy' as copying, k.last_error as "lastError",
            coalesce(s.update_missing, 0) as "updateMissing", coalesce(s.delete_missing, 0) as "deleteMissing",
            coalesce(s.insert_found, 0) as "insertFound"
       from londiste.table_info i
       left join kaja.table_copy k on (k.queue_name, k.table_name) = (i.queue_name, i.table_name)
       left join kaja.capture c on (c.queue_name, c.table_name) = (i.queue_name, i.table_name)
       left join kaja.table_stats s on (s.queue_name, s.table_name) = (i.queue_name, i.table_name)
      where i.queue_name = $1 and i.local
      order by i.table_name`,
    [queue],
  );
  return rows.map(({ seconds, attrs, ...row }) => ({
    ...row,
    attrs: parseDict(attrs),
    copying: row.copying === true,
    rowsPerSecond:
      row.rowsCopied === null || !seconds || seconds <= 0
        ? null
        : Math.round(Number(row.rowsCopied) / seconds),
  }));
}

/** `1200/5000`, `1200` without an estimate, '' without a copy. */
export function copiedText(report: TableReport): string {
  if (report.rowsCopied === null) return '';
  const total = report.rowsTotal !== null && report.rowsTotal > 0n ? `/${report.rowsTotal}` : '';
  return `${report.rowsCopied}${total}`;
}

/** `2 updates, 1 deletes, 3 inserts`, '' when nothing diverged. */
export function divergedText(report: TableReport): string {
  const parts: [bigint, string][] = [
    [report.updateMissing, 'updates'],
    [report.deleteMissing, 'deletes'],
    [report.insertFound, 'inserts'],
  ];
  return parts
    .filter(([count]) => count > 0n)
    .map(([count, what]) => `${count} ${what}`)
    .join(', ');
}

/** `key=value, key=value` as people read it. */
export const attrsText = (attrs: ReadonlyMap<string, string | null>): string =>
  [...attrs].map(([key, value]) => (value === null ? key : `${key}=${value}`)).join(', ');

/** Time left as `3m20s`; undefined when it cannot be estimated. */
export function remainingText(report: TableReport): string | undefined {
  if (
    !report.rowsPerSecond ||
    report.rowsCopied === null ||
    report.rowsTotal === null ||
    report.rowsTotal < report.rowsCopied
  )
    return undefined;
  const seconds = Math.ceil(Number(report.rowsTotal - report.rowsCopied) / report.rowsPerSecond);
  return seconds >= 60 ? `${Math.floor(seconds / 60)}m${seconds % 60}s` : `${seconds}s`;
}
