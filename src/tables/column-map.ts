/** `kaja.column_map`: which column of this node a column of the provider goes to, kept by attribute numbers. */
import type { Session } from '../db/session.ts';

/** One column of the provider. */
export interface ColumnMapping {
  readonly sourceAttnum: number;
  readonly sourceName: string;
  /** Null: left out on purpose. */
  readonly destAttnum: number | null;
  /** 1… for key columns, in key order. */
  readonly keyPosition: number | null;
}

/**
 * Replace the map of a table.
 * @param session on the subscribing node, best inside the transaction that registers the table
 * @param table logical name `schema.table`
 */
export async function saveColumnMap(
  session: Session,
  queue: string,
  table: string,
  map: readonly ColumnMapping[],
): Promise<void> {
  await session.execute('delete from kaja.column_map where queue_name = $1 and table_name = $2', [
    queue,
    table,
  ]);
  await session.execute(
    `insert into kaja.column_map (queue_name, table_name, source_attnum, source_name, dest_attnum, key_position)
     select $1, $2, m.source, m.name, m.dest, m.key
       from rows from (unnest($3::int2[]), unnest($4::text[]), unnest($5::int2[]), unnest($6::int2[])) as m (source, name, dest, key)`,
    [
      queue,
      table,
      map.map((one) => one.sourceAttnum),
      map.map((one) => one.sourceName),
      map.map((one) => one.destAttnum),
      map.map((one) => one.keyPosition),
    ],
  );
}

/** Read the map of a table in the provider's column order; empty when there is none. */
export async function readColumnMap(
  session: Session,
  queue: string,
  table: string,
): Promise<ColumnMapping[]> {
  return session.query<ColumnMapping>(
    `select source_attnum as "sourceAttnum", source_name as "sourceName", dest_attnum as "destAttnum", key_position as "keyPosition"
       from kaja.column_map where queue_name = $1 and table_name = $2 order by source_attnum`,
    [queue, table],
  );
}
