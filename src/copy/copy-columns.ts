/** Which columns are copied from where to where. */
import { quoteFqName, quoteIdent } from '../db/names.ts';
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import type { LocalTable } from '../replay/routes.ts';
import type { CopyContext } from './copy-context.ts';

/** Quoted column lists of both sides, in the same order. */
export interface CopyColumns {
  readonly source: string;
  readonly dest: string;
}

/** A table as it stands on the provider. */
export interface SourceTable {
  /** Unquoted physical name there. */
  readonly name: string;
  readonly estimatedRows: number;
}

/**
 * Find the table on the provider.
 * @throws KajaError copy-waits (timed) while the provider's own copy is not complete; table-missing when it is not there
 */
export async function findSourceTable(
  context: CopyContext,
  provider: Session,
  table: string,
): Promise<SourceTable> {
  const [row] = await provider.query<{ local: boolean; state: string | null; name: string }>(
    `select local, merge_state as state, coalesce(dest_table, table_name) as name from londiste.table_info where queue_name = $1 and table_name = $2`,
    [context.queue, table],
  );
  if (!row?.local) {
    throw new KajaError('table-missing', `table ${table} is not on provider ${context.providerNode}`, {
      hint: 'add it there first',
      retry: 'timed',
    });
  }
  if (row.state !== 'ok')
    throw new KajaError(
      'copy-waits',
      `table ${table} is not in sync on provider ${context.providerNode} yet`,
    );
  const estimatedRows = await provider.value<number>(
    `select coalesce(sum(greatest(c.reltuples, 0)), 0)::float8 from pg_class c
      where c.oid = to_regclass($1) or c.oid in (select relid from pg_partition_tree(to_regclass($1)))`,
    [quoteFqName(row.name)],
  );
  return { name: row.name, estimatedRows: estimatedRows ?? 0 };
}

/**
 * Columns that exist on both sides and are not generated here; the column map decides, names where it says nothing.
 * @throws KajaError table-unfit without a common column
 */
export async function readCopyColumns(
  context: CopyContext,
  table: LocalTable,
  reader: Session,
  writer: Session,
  sourceName: string,
): Promise<CopyColumns> {
  const read = `select attnum::int, attname as name from pg_attribute
    where attrelid = to_regclass($1) and attnum > 0 and not attisdropped`;
  const source = await reader.query<{ attnum: number; name: string }>(`${read} order by attnum`, [
    quoteFqName(sourceName),
  ]);
  const dest = await writer.query<{ attnum: number; name: string }>(`${read} and attgenerated = ''`, [
    quoteFqName(table.destName),
  ]);
  const maps = await writer.query<{ source: number; dest: number | null }>(
    `select source_attnum::int as source, dest_attnum::int as dest from kaja.column_map where queue_name = $1 and table_name = $2`,
    [context.queue, table.tableName],
  );
  const pairs = source.flatMap((from) => {
    const map = maps.find((one) => one.source === from.attnum);
    const to = dest.find((one) => (map ? one.attnum === map.dest : one.name === from.name));
    return to ? [{ from: quoteIdent(from.name), to: quoteIdent(to.name) }] : [];
  });
  if (pairs.length === 0) {
    throw new KajaError(
      'table-unfit',
      `table ${table.tableName} and ${table.destName} on this node have no column in common`,
    );
  }
  return { source: pairs.map((pair) => pair.from).join(', '), dest: pairs.map((pair) => pair.to).join(', ') };
}
