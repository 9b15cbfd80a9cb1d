/** Primary keys, unique and other indexes, exclusion and check constraints of both sides. */
import { quoteFqName, quoteIdent } from '../../db/names.ts';
import { sqlstateOf } from '../../db/sql-error.ts';
import { createIndex, freeName } from '../../tables/plan-create.ts';
import { hasUniqueIndexOn } from '../../tables/table-structure.ts';
import { type Difference, dropHere, here } from './difference.ts';
import { indexClass, indexKey, indexText } from './index-key.ts';
import type { IndexClause } from './reparse.ts';
import { destNameOf, type TablePair } from './table-pair.ts';

/**
 * Compare indexes.
 * @param taken `schema.name` of relations here; new names are added
 */
export function indexDifferences(pair: TablePair, taken: Set<string>): Difference[] {
  const { theirs, ours } = pair;
  const valid = ours.indexes.filter((one) => one.valid);
  const wanted = new Set(theirs.indexes.map(indexKey));
  const present = new Set(valid.map(indexKey));
  const extra = valid.filter((one) => !wanted.has(indexKey(one)));
  const list = ours.indexes.filter((one) => !one.valid).map((one) => invalid(pair, one));
  const missing = theirs.indexes.filter((one) => one.valid && !present.has(indexKey(one)));
  for (const one of missing) {
    // On a column that is left out on purpose.
    if (undefinedColumn(one) && pair.columns.some(({ dest }) => dest === null)) continue;
    list.push(missingIndex(pair, one, one.kind === 'primary' ? primaryOf(extra) : undefined, taken));
  }
  const replaced = missing.some((one) => one.kind === 'primary');
  for (const one of extra) if (!(one.kind === 'primary' && replaced)) list.push(extraIndex(pair, one));
  return list;
}

const primaryOf = (indexes: readonly IndexClause[]): IndexClause | undefined =>
  indexes.find((one) => one.kind === 'primary');
const undefinedColumn = ({ refused }: Pick<IndexClause, 'refused'>): boolean =>
  sqlstateOf(refused) === '42703';
const onTable = ({ dest }: TablePair): string => quoteFqName(dest.source.relation);

function invalid(pair: TablePair, index: IndexClause): Difference {
  const name = `${quoteIdent(pair.dest.source.relation.schema)}.${quoteIdent(index.name)}`;
  return {
    weight: 'warning',
    kind: 'index',
    table: pair.table,
    object: index.name,
    what: `${indexClass(index)} ${index.name} is invalid here: its building failed`,
    hint: '',
    ddl: [here('index', `reindex index ${name}`)],
  };
}

/** @param instead primary key that stands in its way */
function missingIndex(
  pair: TablePair,
  index: IndexClause,
  instead: IndexClause | undefined,
  taken: Set<string>,
): Difference {
  const { schema } = pair.dest.source.relation;
  const key = pair.source.source.key.columns.map((name) => destNameOf(pair.columns, name) ?? name);
  const lookup =
    pair.source.source.key.style === 'key' &&
    index.columns.length > 0 &&
    key.length > 0 &&
    index.columns.every((name) => key.includes(name)) &&
    !hasUniqueIndexOn(pair.dest.source, key);
  const strict = instead && isStricter(pair, instead);
  const what = instead
    ? `${indexText(instead)} here, ${indexText(index)} on the provider${strict ? ': a row that the provider takes and this key refuses stops replication' : ''}`
    : `${indexText(index)} is missing here${lookup ? ': every change looks through the whole table' : ''}`;
  const drop = instead ? [here('drop', dropOf(pair, instead))] : [];
  const made = index.refused
    ? []
    : [...drop, here('index', createIndex(index, onTable(pair), freeName(schema, index.name, taken)))];
  return {
    weight: strict ? 'error' : lookup ? 'warning' : 'note',
    kind: index.kind === 'index' && !index.unique ? 'index' : 'key',
    table: pair.table,
    object: index.name,
    what,
    hint: index.refused ? `cannot be made here: ${index.refused.message}` : '',
    ddl: made,
  };
}

function extraIndex(pair: TablePair, index: IndexClause): Difference {
  const strict = isStricter(pair, index);
  const drop = dropOf(pair, index);
  return {
    weight: strict ? 'error' : 'note',
    kind: index.kind === 'index' && !index.unique ? 'index' : 'key',
    table: pair.table,
    object: index.name,
    what: `${indexText(index)} is only here${strict ? ': a row that the provider takes and it refuses stops replication' : ''}`,
    hint: '',
    ddl: [strict ? here('drop', drop) : dropHere(drop)],
  };
}

function dropOf(pair: TablePair, index: IndexClause): string {
  const name = quoteIdent(index.name);
  return index.constraint === null
    ? `drop index ${quoteIdent(pair.dest.source.relation.schema)}.${name}`
    : `alter table ${onTable(pair)} drop constraint ${name}`;
}

/** Can it refuse rows that the provider has? Not if the provider keeps some of its columns unique. */
function isStricter(pair: TablePair, index: IndexClause): boolean {
  if (!index.unique && index.kind !== 'exclusion') return false;
  if (index.kind === 'exclusion' || index.columns.length === 0 || / NULLS NOT DISTINCT/.test(index.suffix))
    return true;
  return !pair.theirs.indexes.some(
    (one) =>
      one.unique &&
      one.valid &&
      one.columns.length > 0 &&
      !/ WHERE /.test(one.suffix) &&
      one.columns.every((name) => index.columns.includes(name)),
  );
}

/** Compare check constraints. */
export function constraintDifferences(pair: TablePair): Difference[] {
  const { theirs, ours } = pair;
  const wanted = new Set(theirs.checks.map((one) => one.definition));
  const present = new Set(ours.checks.map((one) => one.definition));
  const names = new Set(ours.checks.map((one) => `.${one.name}`));
  const list: Difference[] = [];
  for (const one of ours.checks) {
    if (wanted.has(one.definition)) continue;
    const idle = / NOT ENFORCED$/.test(one.definition);
    const drop = `alter table ${onTable(pair)} drop constraint ${quoteIdent(one.name)}`;
    list.push({
      weight: idle ? 'note' : 'error',
      kind: 'constraint',
      table: pair.table,
      object: one.name,
      what: `constraint ${one.name} ${one.definition} is only here${idle ? '' : ': a row that breaks it stops replication'}`,
      hint: '',
      ddl: [idle ? dropHere(drop) : here('drop', drop)],
    });
  }
  for (const one of theirs.checks) {
    if (present.has(one.definition)) continue;
    if (undefinedColumn(one) && pair.columns.some(({ dest }) => dest === null)) continue;
    const name = quoteIdent(freeName('', one.name, names));
    list.push({
      weight: 'note',
      kind: 'constraint',
      table: pair.table,
      object: one.name,
      what: `constraint ${one.name} ${one.definition} is missing here`,
      hint: one.refused ? `cannot be made here: ${one.refused.message}` : '',
      ddl: one.refused
        ? []
        : [here('index', `alter table ${onTable(pair)} add constraint ${name} ${one.definition}`)],
    });
  }
  return list;
}
