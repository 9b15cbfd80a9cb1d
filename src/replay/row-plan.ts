/** How rows of one shape go into one table: the parsed row type and which columns are written. */
import { quoteIdent } from '../db/names.ts';

/** How a row of the table is found again. */
export type RowStyle = 'key' | 'whole_row' | 'insert_only';

/** Where events of a logical table go on this node. */
export interface TableRoute {
  /** Logical name, as in the events. */
  readonly tableName: string;
  /** Quoted physical name on this node. */
  readonly dest: string;
  /** Plain table (rows of inheritance children are not touched); false for a partitioned table. */
  readonly only: boolean;
  readonly style: RowStyle;
  /** SQL condition over the provider's columns: rows that do not match are not wanted here. */
  readonly where: string | null;
  /** Triggers fire per row on this node, or there is no index for the key: apply events one by one. */
  readonly inEventOrder: boolean;
  /** A row may be deleted and inserted again: no foreign key and no trigger would notice. */
  readonly replaceable: boolean;
  /** Rows of other tables, or of itself, refer to the table and foreign keys act here: a row must not go before those that leave it. */
  readonly referenced: boolean;
  /** The key has a usable index here, so that joins may go row by row through it. */
  readonly keyIndexed: boolean;
  /** No two rows of one key here, checked row by row: an index says so at once (a deferrable one does not, and replica role skips its check). */
  readonly keyUnique: boolean;
  /** Quoted first column of a unique index of key columns here; null when there is none. */
  readonly keyLead: string | null;
  /** Statement that empties the table here when a TRUNCATE arrives. */
  readonly empty: string;
  /** Position in foreign key order, referenced tables first. */
  readonly rank: number;
}

/** One column of a row shape and what becomes of it here. */
export interface PlanColumn {
  readonly sourceName: string;
  /** Quoted name on this node; null: left out. */
  readonly dest: string | null;
  /** Type to read the text with: the destination's, or text when it is left out. */
  readonly type: string;
  readonly key: boolean;
  /** May be set by UPDATE (identity ALWAYS columns may not). */
  readonly updatable: boolean;
  /** Equality operator of a key column's type: `=`, or with its schema where the pinned search_path does not find it. */
  readonly equals: string;
}

/** Everything needed to write SQL for rows of one shape into one table. */
export interface RowPlan {
  /** Number of the plan in this session; marks net rows. */
  readonly id: number;
  /** Number of the temporary row type, which plans of equal columns share. */
  readonly rowTypeId: number;
  readonly route: TableRoute;
  readonly shape: string;
  readonly columns: readonly PlanColumn[];
  /** Quoted columns of this node's table that the events know nothing of; their values stay. */
  readonly ownColumns: readonly string[];
}

/** Quoted name of the plan's temporary composite type. */
export const rowType = (plan: Pick<RowPlan, 'rowTypeId'>): string => `pg_temp.kaja_row_${plan.rowTypeId}`;

/** What the plan's row type consists of: the provider's column names with this node's types. */
export const rowTypeColumns = (columns: readonly PlanColumn[]): string =>
  columns.map((column) => `${quoteIdent(column.sourceName)} ${column.type}`).join(', ');

/** Column of a parsed row `r` as an expression. */
export const field = (row: string, column: PlanColumn): string => `(${row}).${quoteIdent(column.sourceName)}`;

/** Columns that are written here. */
export const writtenColumns = (plan: RowPlan): PlanColumn[] =>
  plan.columns.filter((column) => column.dest !== null);

/** Key columns, in the same order for every shape of a table. */
export const keyColumns = (plan: RowPlan): PlanColumn[] =>
  plan.columns.filter((column) => column.key).sort((a, b) => ((a.dest ?? '') < (b.dest ?? '') ? -1 : 1));

/**
 * Condition: row `t` of the target table has the key of the parsed row `row`. A key as `any (array[…])` can be looked up in the
 * key's index, but not be a join's condition: while the table is empty both cost the same, and a plan that reads the whole index for
 * each batch would stay prepared while the table grows. Of several columns only the index's first is written so: an `any` on a
 * further one is no condition of the index before PostgreSQL 17 as long as the table is empty.
 */
export const keyMatch = (plan: RowPlan, row: string): string =>
  keyColumns(plan)
    .map((column) => {
      const value = field(row, column);
      const lookedUp = plan.route.keyIndexed && (plan.route.keyLead ?? column.dest) === column.dest;
      return `t.${column.dest} ${column.equals} ${lookedUp ? `any (array[${value}])` : value}`;
    })
    .join(' and ');

/** `dest`, or `only dest` for a plain table in UPDATE and DELETE. */
export const targetOf = (plan: RowPlan): string =>
  plan.route.only ? `only ${plan.route.dest}` : plan.route.dest;

/** Boolean expression over a parsed row: does it belong on this node? Null when every row does. */
export function filterOf(plan: RowPlan, row: string): string | null {
  if (plan.route.where === null) return null;
  const columns = plan.columns.map((column) => `${field(row, column)} as ${quoteIdent(column.sourceName)}`);
  return `coalesce((select (${plan.route.where}\n) from (select ${columns.join(', ')}) kaja_row), false)`;
}
