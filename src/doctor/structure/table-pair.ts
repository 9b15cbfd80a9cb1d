/** A table on both sides with everything `check` compares. */
import type { Column } from '../../db/catalog/columns.ts';
import { quoteFqName } from '../../db/names.ts';
import type { Session } from '../../db/session.ts';
import { KajaError } from '../../errors/kaja-error.ts';
import { readColumnMap } from '../../tables/column-map.ts';
import { planTable } from '../../tables/create-table.ts';
import { ownKey } from '../../tables/source-table.ts';
import { readDefinition, type TableDefinition } from '../../tables/table-definition.ts';
import { readStructure } from '../../tables/table-structure.ts';
import { type ColumnPair, pairColumns } from '../check-structure.ts';
import type { Pair, WatchedTable } from '../side.ts';
import { type Ddl, here } from './difference.ts';
import { indexKey } from './index-key.ts';
import { type Clauses, clausesOf, reparse } from './reparse.ts';

/** See the file. */
export interface TablePair {
  /** Logical name. */
  readonly table: string;
  readonly source: TableDefinition;
  readonly dest: TableDefinition;
  /** Columns of the provider with those they go to. */
  readonly columns: readonly ColumnPair[];
  /** Clauses of both sides with the names of the columns here, spelled by one server wherever spelling could matter. */
  readonly theirs: Clauses;
  readonly ours: Clauses;
  /** Version of this node's server. */
  readonly serverVersion: number;
  /** Has the table here no rows? */
  readonly empty: boolean;
}

/**
 * Read it. The sessions have no transaction open.
 * @throws KajaError table-unfit for what is no table
 */
export async function readTablePair(
  { provider, subscriber }: Pair,
  source: WatchedTable,
  dest: WatchedTable,
): Promise<TablePair> {
  const { session } = subscriber;
  const [there, ours] = await Promise.all([define(provider.session, source), define(session, dest)]);
  const map = await readColumnMap(session, subscriber.queue ?? '', dest.table);
  const columns = pairColumns(there.source.columns, ours.source.columns, map);
  const empty = await session.value<boolean>(
    `select not exists (select from ${quoteFqName(ours.source.relation)})`,
  );
  return {
    table: dest.table,
    source: there,
    dest: ours,
    columns,
    ...(await spell(session, there, ours, columns)),
    serverVersion: session.serverVersion,
    empty: empty ?? false,
  };
}

async function define(session: Session, table: WatchedTable): Promise<TableDefinition> {
  const structure = await readStructure(session, table.name);
  if (!structure) throw new KajaError('table-missing', `table ${table.name} is gone (${session.location})`);
  const columns = table.keyColumns.length > 0 ? table.keyColumns : (ownKey(structure)?.columns ?? []);
  const style = table.style ?? 'key';
  const key = { style, columns: style === 'key' ? columns : [] };
  return readDefinition(session, { ...structure, tableName: table.table, physicalName: table.name, key });
}

/** Name here of a column of the provider; undefined: left out on purpose. */
export const destNameOf = (columns: readonly ColumnPair<Column>[], name: string): string | undefined => {
  const pair = columns.find((one) => one.source.name === name);
  return pair?.dest === null ? undefined : (pair?.dest?.name ?? name);
};

async function spell(
  session: Session,
  source: TableDefinition,
  dest: TableDefinition,
  columns: readonly ColumnPair[],
): Promise<{ theirs: Clauses; ours: Clauses }> {
  const plain = {
    theirs: clausesOf(source, (name) => destNameOf(columns, name)),
    ours: clausesOf(dest),
  };
  const renamed = columns.some(
    (pair) => pair.dest === null || (pair.dest && pair.dest.name !== pair.source.name),
  );
  if (!renamed && textOf(plain.theirs) === textOf(plain.ours)) return plain;
  try {
    return {
      theirs: await reparse(
        session,
        source,
        columns.flatMap(({ source: column, dest: to }) =>
          to === null
            ? []
            : {
                name: column.name,
                final: to?.name ?? column.name,
                type: to?.type ?? column.type,
                default: column.default,
                generated: column.generated !== null,
              },
        ),
      ),
      ours: await reparse(
        session,
        dest,
        dest.source.columns.map((column) => ({
          name: column.name,
          final: column.name,
          type: column.type,
          default: column.default,
          generated: column.generated !== null,
        })),
      ),
    };
  } catch (error) {
    // Without the right to temporary tables the texts have to do.
    if (error instanceof KajaError && error.code === 'permission-denied') return plain;
    throw error;
  }
}

const textOf = ({ indexes, checks, defaults }: Clauses): string =>
  JSON.stringify([
    indexes.map(indexKey).sort(),
    checks.map((one) => one.definition).sort(),
    [...defaults].map((one) => one.join(' ')).sort(),
  ]);

/** Statements that make a table here which is registered and does not exist. */
export async function createMissing(
  { provider, subscriber }: Pair,
  source: WatchedTable,
  dest: WatchedTable,
): Promise<Ddl[]> {
  const definition = await define(provider.session, source);
  const { statements, pending } = await planTable(subscriber.session, definition, dest.name, true);
  return [...statements.map((sql) => here('table', sql)), ...pending.map((sql) => here('index', sql))];
}
