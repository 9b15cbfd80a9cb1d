/** Columns of both sides. */
import { quoteFqName, quoteIdent } from '../../db/names.ts';
import { columnClause } from '../../tables/plan-create.ts';
import { createSequence, type SequenceDefinition, sequenceOptions } from '../../tables/sequence-ddl.ts';
import type { TableDefinition } from '../../tables/table-definition.ts';
import type { TypedColumn } from '../../tables/table-structure.ts';
import { isComparable } from '../../tables/type-family.ts';
import { takesAll } from '../check-structure.ts';
import { type Ddl, type Difference, dropHere, here } from './difference.ts';
import type { Present } from './present.ts';
import type { TablePair } from './table-pair.ts';

/** Compare columns. */
export function columnDifferences(pair: TablePair, present: Present): Difference[] {
  const list: Difference[] = [];
  for (const { source, dest } of pair.columns) {
    if (dest === undefined) list.push(missing(pair, source, present));
    else if (dest !== null) list.push(...both(pair, source, dest, present));
  }
  const filled = new Set(pair.columns.flatMap(({ dest }) => dest?.attnum ?? []));
  for (const column of pair.dest.source.columns)
    if (!filled.has(column.attnum)) list.push(extra(pair, column));
  return list;
}

type Parts = Pick<Difference, 'weight' | 'what'> & Partial<Pick<Difference, 'hint' | 'ddl'>>;

const difference = (pair: TablePair, column: string, parts: Parts): Difference => ({
  kind: 'column',
  table: pair.table,
  object: column,
  hint: '',
  ddl: [],
  ...parts,
});

const tableOf = (pair: TablePair): string => quoteFqName(pair.dest.source.relation);
const alter = (pair: TablePair, column: string, what: string): Ddl =>
  here('column', `alter table ${tableOf(pair)} alter column ${quoteIdent(column)} ${what}`);
const resync = (pair: TablePair): string => `then: kaja INI resync ${pair.table}`;

function missing(pair: TablePair, source: TypedColumn, { relations }: Present): Difference {
  const { relation } = pair.dest.source;
  const text = pair.theirs.defaults.get(source.name) ?? source.default;
  const sequence = pair.source.sequences.get(source.name);
  // Rows that are there would break NOT NULL until they have got their values.
  const late = source.notNull && !pair.empty && text === null && !source.identity;
  const clause = columnClause(
    { ...source, default: text, notNull: source.notNull && !late },
    { dest: relation, serverVersion: pair.serverVersion, full: true, taken: relations },
    sequence,
  );
  return difference(pair, source.name, {
    weight: 'error',
    what: `column ${source.name} is missing here, its values are not replicated`,
    hint: `${resync(pair)}${late ? `, and: alter table ${tableOf(pair)} alter column ${quoteIdent(source.name)} set not null` : ''}`,
    ddl: [
      ...(sequence && !source.identity ? makeSequence(sequence, relations) : []),
      here('column', `alter table ${tableOf(pair)} add column ${clause}`),
    ],
  });
}

const makeSequence = (sequence: SequenceDefinition, relations: ReadonlySet<string>): Ddl[] =>
  relations.has(sequence.name) ? [] : [here('sequence', createSequence(sequence))];

function extra(pair: TablePair, column: TypedColumn): Difference {
  const { name } = column;
  const stuck = column.notNull && column.default === null && !column.identity && !column.generated;
  if (stuck)
    return difference(pair, name, {
      weight: 'error',
      what: `column ${name} is only here, NOT NULL and without a default: new rows stop replication`,
      ddl: [alter(pair, name, 'drop not null')],
    });
  return difference(pair, name, {
    weight: 'note',
    what: `column ${name} is only here`,
    ddl: [dropHere(`alter table ${tableOf(pair)} drop column ${quoteIdent(name)}`)],
  });
}

function both(pair: TablePair, source: TypedColumn, dest: TypedColumn, present: Present): Difference[] {
  const named = dest.name === source.name ? dest.name : `${dest.name} (${source.name} on the provider)`;
  const add = (parts: Parts): Difference => difference(pair, dest.name, parts);
  return [
    ...types(pair, source, dest, present, named).map(add),
    ...nulls(pair, source, dest, named).map(add),
    ...(source.generated || dest.generated
      ? generation(pair, source, dest, named)
      : defaults(pair, source, dest, present, named)
    ).map(add),
  ];
}

function types(
  pair: TablePair,
  source: TypedColumn,
  dest: TypedColumn,
  { collations }: Present,
  named: string,
): Parts[] {
  const collation = source.collation === null ? '' : ` collate ${quoteFqName(source.collation)}`;
  const known = source.collation === null || collations.has(source.collation);
  const column = quoteIdent(dest.name);
  const change = (clause: string): Ddl[] =>
    known ? [alter(pair, dest.name, `type ${source.type}${clause} using ${column}::${source.type}`)] : [];
  if (source.type !== dest.type) {
    const text = `column ${named} is ${dest.type} here and ${source.type} on the provider`;
    if (dest.generated) return [{ weight: 'note', what: text, hint: 'it is generated here' }];
    if (!isComparable(source.base, dest.base))
      return [{ weight: 'error', what: `${text}: these do not go together`, ddl: change(collation) }];
    if (!takesAll(source, dest))
      return [
        { weight: 'error', what: `${text}: values that do not fit stop replication`, ddl: change(collation) },
      ];
    return [{ weight: 'note', what: text, ddl: change(collation) }];
  }
  if (source.collation === dest.collation) return [];
  const name = (one: TypedColumn): string => (one.collation === null ? 'the default' : one.collation);
  return [
    {
      weight: 'note',
      what: `column ${named} sorts by ${name(dest)} here and by ${name(source)} on the provider`,
      hint: known ? '' : `there is no collation ${source.collation} here`,
      ddl: change(source.collation === null ? ' collate pg_catalog."default"' : collation),
    },
  ];
}

function nulls(pair: TablePair, source: TypedColumn, dest: TypedColumn, named: string): Parts[] {
  if (dest.notNull === source.notNull) return [];
  if (!dest.notNull)
    return [
      {
        weight: 'note',
        what: `column ${named} may be NULL here and not on the provider`,
        ddl: [alter(pair, dest.name, 'set not null')],
      },
    ];
  const inKey = pair.dest.indexes.some((one) => one.kind === 'primary' && one.columns.includes(dest.name));
  const identity = dest.identity !== null;
  return [
    {
      weight: 'error',
      what: `column ${named} is NOT NULL here and not on the provider: a NULL stops replication`,
      hint: inKey ? 'it belongs to the primary key here' : identity ? 'identity columns are NOT NULL' : '',
      ddl: inKey || identity ? [] : [alter(pair, dest.name, 'drop not null')],
    },
  ];
}

function generation(pair: TablePair, source: TypedColumn, dest: TypedColumn, named: string): Parts[] {
  const wanted = pair.theirs.defaults.get(dest.name) ?? null;
  const found = pair.ours.defaults.get(dest.name) ?? null;
  const column = quoteIdent(dest.name);
  const virtual = source.generated === 'virtual' && pair.serverVersion >= 180_000;
  const anew = (optional: boolean): Ddl[] =>
    [
      `drop column ${column}`,
      `add column ${column} ${source.type} generated always as (${wanted}) ${virtual ? 'virtual' : 'stored'}`,
    ].map((what) => ({ ...here('column', `alter table ${tableOf(pair)} ${what}`), optional }));
  if (!dest.generated)
    return [
      {
        weight: 'note',
        what: `column ${named} is generated on the provider and takes its values here`,
        ddl: anew(true),
        hint: resync(pair),
      },
    ];
  if (!source.generated)
    return [
      {
        weight: 'warning',
        what: `column ${named} is generated here and not on the provider: it has values of its own, compare leaves it out`,
        hint: resync(pair),
        ddl:
          dest.generated === 'stored'
            ? [alter(pair, dest.name, 'drop expression')]
            : [`drop column ${column}`, `add column ${column} ${source.type}`].map((what) =>
                here('column', `alter table ${tableOf(pair)} ${what}`),
              ),
      },
    ];
  if (wanted !== found)
    return [
      {
        weight: 'error',
        what: `column ${named} is generated as (${found}) here and as (${wanted}) on the provider`,
        hint: pair.serverVersion >= 170_000 ? '' : resync(pair),
        ddl:
          pair.serverVersion >= 170_000
            ? [alter(pair, dest.name, `set expression as (${wanted})`)]
            : anew(false),
      },
    ];
  // Servers before 18 can only store.
  if (source.generated === dest.generated || (source.generated === 'virtual' && !virtual)) return [];
  return [
    {
      weight: 'note',
      what: `column ${named} is generated ${dest.generated} here and ${source.generated} on the provider`,
      hint: resync(pair),
      ddl: anew(true),
    },
  ];
}

function defaults(
  pair: TablePair,
  source: TypedColumn,
  dest: TypedColumn,
  { relations }: Present,
  named: string,
): Parts[] {
  if (source.identity || dest.identity) return identity(pair, source, dest, named);
  const wanted = pair.theirs.defaults.get(dest.name) ?? null;
  const found = pair.ours.defaults.get(dest.name) ?? null;
  if (wanted === found || (isSerial(pair.source, source.name) && isSerial(pair.dest, dest.name))) return [];
  const sequence = pair.source.sequences.get(source.name);
  const words = (text: string | null): string =>
    text === null ? 'has no default' : `has the default ${text}`;
  return [
    {
      weight: 'note',
      what: `column ${named} ${words(found)} here and ${wanted === null ? 'none' : wanted} on the provider`,
      ddl: [
        ...(sequence && wanted !== null ? makeSequence(sequence, relations) : []),
        alter(pair, dest.name, wanted === null ? 'drop default' : `set default ${wanted}`),
        ...(sequence && wanted !== null && !relations.has(sequence.name) && sequence.ownerColumn !== null
          ? [
              here(
                'column',
                `alter sequence ${quoteFqName(sequence.name)} owned by ${tableOf(pair)}.${quoteIdent(dest.name)}`,
              ),
            ]
          : []),
      ],
    },
  ];
}

/** Filled from a sequence of its own, whatever that is called. */
function isSerial(definition: TableDefinition, column: string): boolean {
  const sequence = definition.sequences.get(column);
  return sequence?.ownerTable === definition.source.relation.fqName && sequence.ownerColumn === column;
}

function identity(pair: TablePair, source: TypedColumn, dest: TypedColumn, named: string): Parts[] {
  if (source.identity === dest.identity) return [];
  const words = (one: TypedColumn): string =>
    one.identity ? `generated ${one.identity} as identity` : 'no identity column';
  const what = `column ${named} is ${words(dest)} here and ${words(source)} on the provider`;
  if (source.identity && dest.identity)
    return [{ weight: 'note', what, ddl: [alter(pair, dest.name, `set generated ${source.identity}`)] }];
  if (!source.identity) return [{ weight: 'note', what, ddl: [alter(pair, dest.name, 'drop identity')] }];
  const before: Ddl[] = [
    ...(dest.default === null ? [] : [alter(pair, dest.name, 'drop default')]),
    ...(dest.notNull ? [] : [alter(pair, dest.name, 'set not null')]),
  ];
  const sequence = pair.source.sequences.get(source.name);
  const options = sequence ? ` (${sequenceOptions(sequence)})` : '';
  return [
    {
      weight: 'note',
      what,
      ddl: [...before, alter(pair, dest.name, `add generated ${source.identity} as identity${options}`)],
    },
  ];
}
