/** Foreign keys of both sides, with tables and columns called as they are here. */
import type { Column } from '../../db/catalog/columns.ts';
import type { ForeignKey } from '../../db/catalog/foreign-keys.ts';
import { quoteFqName, quoteIdent } from '../../db/names.ts';
import { freeName } from '../../tables/plan-create.ts';
import type { ColumnPair } from '../check-structure.ts';
import { type Difference, dropHere, here } from './difference.ts';
import { destNameOf, type TablePair } from './table-pair.ts';

/** A replicated table. */
export interface ForeignKeyTarget {
  /** Unquoted physical name here. */
  readonly name: string;
  readonly columns: readonly ColumnPair<Column>[];
}

/** What is compared. */
export interface ForeignKeyRequest {
  readonly pairs: readonly TablePair[];
  /** Tables of the provider that its keys may lead to, by oid. */
  readonly targets: ReadonlyMap<number, ForeignKeyTarget>;
  /** Those that leave the pairs' tables. */
  readonly theirs: readonly ForeignKey[];
  readonly ours: readonly ForeignKey[];
  /** Dropped for a copy and not restored yet: `table name`. */
  readonly pending: ReadonlySet<string>;
  /** How changes are applied: with `marker` the server checks foreign keys of replicated rows. */
  readonly role: 'replica' | 'marker';
}

/** Compare foreign keys. Those to tables that are not replicated here are not missed. */
export function foreignKeyDifferences(request: ForeignKeyRequest): Difference[] {
  return request.pairs.flatMap((pair) => ofTable(request, pair));
}

function ofTable(request: ForeignKeyRequest, pair: TablePair): Difference[] {
  const { relation } = pair.dest.source;
  const ours = request.ours.filter((key) => key.fromOid === relation.oid && !key.inherited);
  const present = new Set(ours.map((key) => clauseOf(key)));
  const theirs = request.theirs
    .filter((key) => key.fromOid === pair.source.source.relation.oid && !key.inherited)
    .flatMap((key) => {
      const clause = translated(request.targets, pair, key);
      return clause === undefined ? [] : { key, clause };
    });
  const wanted = new Set(theirs.map((one) => one.clause));
  const names = new Set(ours.map((key) => `.${key.name}`));
  const table = quoteFqName(relation);
  const list: Difference[] = [];
  for (const { key, clause } of theirs) {
    if (present.has(clause) || request.pending.has(`${relation.fqName} ${key.name}`)) continue;
    const name = quoteIdent(freeName('', key.name, names));
    list.push({
      weight: 'note',
      kind: 'foreign key',
      table: pair.table,
      object: key.name,
      what: `${clause} is missing here`,
      hint: '',
      ddl: [here('reference', `alter table ${table} add constraint ${name} ${clause}`)],
    });
  }
  for (const key of ours) {
    if (wanted.has(clauseOf(key))) continue;
    const checked = request.role === 'marker' && !key.actions.includes('NOT ENFORCED');
    const drop = `alter table ${table} drop constraint ${quoteIdent(key.name)}`;
    list.push({
      weight: checked ? 'warning' : 'note',
      kind: 'foreign key',
      table: pair.table,
      object: key.name,
      what: `${clauseOf(key)} is only here${checked ? ': a row that refers to nothing stops replication' : ''}`,
      hint: '',
      ddl: [checked ? here('drop', drop) : dropHere(drop)],
    });
  }
  return list;
}

const names = (columns: readonly string[]): string => columns.map(quoteIdent).join(', ');

function clause(from: readonly string[], to: string, columns: readonly string[], actions: string): string {
  return `foreign key (${names(from)}) references ${quoteFqName(to)}(${names(columns)})${actions}`;
}

const clauseOf = (key: ForeignKey): string => clause(key.fromColumns, key.to, key.toColumns, key.actions);

/** A key of the provider in the names of this node; undefined when it leads to what is not here. */
function translated(
  targets: ForeignKeyRequest['targets'],
  from: TablePair,
  key: ForeignKey,
): string | undefined {
  const to = targets.get(key.toOid);
  if (!to) return undefined;
  const own = key.fromColumns.map((name) => destNameOf(from.columns, name));
  const other = key.toColumns.map((name) => destNameOf(to.columns, name));
  if ([...own, ...other].some((name) => name === undefined)) return undefined;
  return clause(own as string[], to.name, other as string[], key.actions);
}
