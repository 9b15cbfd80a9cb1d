/** Parts of a table that can be read in parallel. */
import { quoteFqName, quoteIdent } from './names.ts';
import type { Session } from './session.ts';

/** One part: a SELECT without columns, for example `only t where ctid >= …`. */
export interface TableRange {
  readonly from: string;
  readonly where: string | null;
}

interface LeafRow {
  schema: string;
  name: string;
  kind: string;
  blocks: number;
  only: boolean;
}

/** Blocks of 8 kB that are worth a range of their own. */
const MIN_BLOCKS = 2000;

/**
 * Split a table into ranges of its physical rows (ctid), partitions one by one.
 * @param table unquoted name on the provider
 * @param jobs parallel readers; 1 gives one range per partition
 * @param mostBlocks no range is bigger; default: as big as they come
 * @returns ranges that together hold every row exactly once under one snapshot
 */
export async function planRanges(
  reader: Session,
  table: string,
  jobs: number,
  mostBlocks = Number.POSITIVE_INFINITY,
): Promise<TableRange[]> {
  // OFFSET: one look into the catalog for each part, instead of a join with all of it.
  const leaves = await reader.queryPrepared<LeafRow>(
    'kaja_ranges',
    `select n.nspname as schema, c.relname as name, c.relkind::text as kind, c.relkind = 'r' as only,
            case when c.relkind = 'r' then (pg_relation_size(c.oid) / current_setting('block_size')::int8)::float8 else 0 end as blocks
       from pg_class r
       join lateral (select relid from pg_partition_tree(r.oid) p where p.isleaf and r.relkind = 'p'
                     union all select r.oid where r.relkind <> 'p') l on true
       cross join lateral (select * from pg_class c where c.oid = l.relid offset 0) c
       join pg_namespace n on n.oid = c.relnamespace
      where r.oid = to_regclass($1) order by 1, 2`,
    [quoteFqName(table)],
  );
  return leaves.flatMap((leaf): TableRange[] => {
    const from = `${leaf.only ? 'only ' : ''}${quoteIdent(leaf.schema)}.${quoteIdent(leaf.name)}`;
    const spread = jobs <= 1 ? 1 : Math.min(jobs * 4, Math.floor(leaf.blocks / MIN_BLOCKS));
    const parts = leaf.kind !== 'r' ? 1 : Math.max(1, spread, Math.ceil(leaf.blocks / mostBlocks));
    if (parts === 1) return [{ from, where: null }];
    const step = Math.ceil(leaf.blocks / parts);
    return Array.from({ length: parts }, (_, n) => {
      // The last range is open: the file may have grown since its size was asked.
      const end = n === parts - 1 ? '' : ` and ctid < '(${(n + 1) * step},0)'`;
      return { from, where: `ctid >= '(${n * step},0)'${end}` };
    });
  });
}
