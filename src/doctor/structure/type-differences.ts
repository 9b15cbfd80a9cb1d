/** Enums and domains that both sides use, and those that columns to be made here need. */
import { formatFqName, quoteFqName, quoteLiteral } from '../../db/names.ts';
import { createType, type UserType } from '../../tables/user-types.ts';
import { type Difference, here } from './difference.ts';
import type { TablePair } from './table-pair.ts';

/**
 * Compare types; each is told once.
 * @param present `schema.name` of types here
 */
export function typeDifferences(pairs: readonly TablePair[], present: ReadonlySet<string>): Difference[] {
  const list: Difference[] = [];
  const seen = new Set<string>();
  for (const pair of pairs) {
    const ours = new Map(pair.dest.types.map((one) => [formatFqName(one), one]));
    for (const type of pair.source.types) {
      const name = formatFqName(type);
      if (seen.has(name)) continue;
      const same = ours.get(name);
      if (!same && (present.has(name) || !isNeeded(pair, type))) continue;
      seen.add(name);
      list.push(...(same ? compareTypes(pair, type, same) : [missing(pair, type)]));
    }
  }
  return list;
}

/** A type that only columns use which this node has with another type is not missed. */
const isNeeded = (pair: TablePair, type: UserType): boolean =>
  pair.columns.some(
    ({ source, dest }) => dest !== null && dest?.type !== source.type && source.type.includes(type.name),
  );

const difference = (
  pair: TablePair,
  type: UserType,
): Pick<Difference, 'kind' | 'table' | 'object' | 'hint'> => ({
  kind: 'type',
  table: pair.table,
  object: formatFqName(type),
  hint: '',
});

function missing(pair: TablePair, type: UserType): Difference {
  const statement = createType(type);
  const extension = type.extension === null ? '' : `create extension ${type.extension}`;
  return {
    ...difference(pair, type),
    weight: 'note',
    what: `type ${formatFqName(type)} does not exist here`,
    hint: statement === undefined ? extension || 'create it by hand' : '',
    ddl: statement === undefined ? [] : [here('type', statement)],
  };
}

function compareTypes(pair: TablePair, theirs: UserType, ours: UserType): Difference[] {
  const head = difference(pair, theirs);
  const name = quoteFqName(theirs);
  if (theirs.kind === 'enum' && ours.kind === 'enum') {
    const labels = theirs.labels.filter((one) => !ours.labels.includes(one));
    if (labels.length === 0) return [];
    // Each after the one before it, so that they sort as on the provider.
    const add = labels.map((label) => {
      const before = theirs.labels[theirs.labels.indexOf(label) - 1];
      const place =
        before !== undefined
          ? ` after ${quoteLiteral(before)}`
          : ours.labels[0] === undefined
            ? ''
            : ` before ${quoteLiteral(ours.labels[0])}`;
      return here('type', `alter type ${name} add value ${quoteLiteral(label)}${place}`);
    });
    return [
      {
        ...head,
        weight: 'error',
        what: `type ${formatFqName(theirs)} lacks ${labels.map(quoteLiteral).join(', ')} here: such a value stops replication`,
        ddl: add,
      },
    ];
  }
  const same = createType(theirs) === createType(ours);
  if (same || theirs.extension !== null) return [];
  const stricter =
    ours.checks.some((one) => !theirs.checks.includes(one)) || (ours.notNull && !theirs.notNull);
  return [
    {
      ...head,
      weight: stricter ? 'warning' : 'note',
      what: `type ${formatFqName(theirs)} is defined otherwise here${stricter ? ': a value that it refuses stops replication' : ''}`,
      hint: `on the provider: ${createType(theirs) ?? theirs.kind}`,
      ddl: [],
    },
  ];
}
