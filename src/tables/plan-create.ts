/** The statements of --create and --create-full. Pure. */
import { type FqName, formatFqName, quoteFqName, quoteIdent, quoteLiteral } from '../db/names.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { createSequence, type SequenceDefinition, sequenceOptions } from './sequence-ddl.ts';
import type { IndexDefinition, TableDefinition } from './table-definition.ts';
import type { TypedColumn } from './table-structure.ts';
import { createType } from './user-types.ts';

/** Where the table is made. */
export interface CreateTarget {
  readonly dest: FqName;
  /** As `server_version_num`. */
  readonly serverVersion: number;
  readonly full: boolean;
  /** Schemas and types (`schema.name`) that exist here, of those the definition needs. */
  readonly schemas: ReadonlySet<string>;
  readonly types: ReadonlySet<string>;
  /** `schema.name` of relations here that have names the plan would like to use. */
  readonly taken: ReadonlySet<string>;
}

/** Statements to run now, and those that build keys and indexes after the rows. */
export interface CreatePlan {
  readonly statements: readonly string[];
  readonly pending: readonly string[];
  /** Things left out, one line each. */
  readonly notes: readonly string[];
}

/**
 * Plan the table. A partitioned table of the provider becomes a plain one; foreign keys, triggers, rules and rights are not taken over.
 * @throws KajaError table-unfit for types that exist only on the provider and are not created
 */
export function planCreate(definition: TableDefinition, target: CreateTarget): CreatePlan {
  const notes: string[] = [];
  const table = quoteFqName(target.dest);
  const types = planTypes(definition, target);
  const schemas = new Set([...types.schemas, target.dest.schema]);
  const sequences = new Map(
    [...definition.sequences].filter(([column]) => target.full || identityOf(definition, column)),
  );
  const serials = [...sequences].filter(([column]) => !identityOf(definition, column));
  const made = serials.filter(([, one]) => !target.taken.has(one.name));
  for (const [, one] of made) schemas.add(schemaOf(one.name));
  const checks = target.full
    ? definition.checks.filter((check) => isPossible(check.definition, target, notes, check.name))
    : [];
  const columns = definition.source.columns.map(
    (column) => `  ${columnClause(column, target, sequences.get(column.name))}`,
  );
  const constraints = checks.map(
    (check) => `  constraint ${quoteIdent(check.name)} ${check.definition.replace(/ NOT VALID$/, '')}`,
  );
  const statements = [
    ...[...schemas]
      .filter((schema) => !target.schemas.has(schema))
      .map((schema) => `create schema ${quoteIdent(schema)}`),
    ...types.statements,
    ...new Set(made.map(([, one]) => createSequence(one))),
    `create table ${table} (\n${[...columns, ...constraints].join(',\n')}\n)`,
    ...made
      .filter(
        ([, one]) =>
          one.ownerTable === definition.source.relation.fqName && schemaOf(one.name) === target.dest.schema,
      )
      .map(
        ([, one]) =>
          `alter sequence ${quoteFqName(one.name)} owned by ${table}.${quoteIdent(one.ownerColumn ?? '')}`,
      ),
    ...(target.full ? comments(definition, table) : []),
  ];
  return { statements, pending: planIndexes(definition, target, notes), notes };
}

const schemaOf = (name: string): string => name.slice(0, name.indexOf('.'));
const identityOf = (definition: TableDefinition, column: string): boolean =>
  definition.source.columns.some((one) => one.name === column && one.identity !== null);

function planTypes(
  definition: TableDefinition,
  target: CreateTarget,
): { statements: string[]; schemas: string[] } {
  const missing = definition.types.filter((type) => !target.types.has(formatFqName(type)));
  const statements = missing.map((type) => {
    const statement = createType(type);
    if (statement !== undefined && target.full) return statement;
    const hint =
      type.extension !== null
        ? `create extension ${quoteIdent(type.extension)}`
        : statement !== undefined
          ? '--create-full creates it too, or create it first'
          : 'create it first';
    throw new KajaError(
      'table-unfit',
      `type ${quoteFqName(type)} of table ${definition.source.tableName} does not exist on this node`,
      { hint },
    );
  });
  return { statements, schemas: missing.map((type) => type.schema) };
}

/** A column as it stands in CREATE TABLE and ADD COLUMN. */
export function columnClause(
  column: TypedColumn,
  target: Pick<CreateTarget, 'dest' | 'serverVersion' | 'full' | 'taken'>,
  sequence: SequenceDefinition | undefined,
): string {
  const parts = [quoteIdent(column.name), column.type];
  if (column.collation) parts.push(`collate ${quoteFqName(column.collation)}`);
  if (column.generated) {
    const virtual = column.generated === 'virtual' && target.serverVersion >= 180000;
    parts.push(`generated always as (${column.default}) ${virtual ? 'virtual' : 'stored'}`);
  } else if (column.identity) {
    const named =
      sequence && !target.taken.has(sequence.name) && schemaOf(sequence.name) === target.dest.schema;
    const options = sequence
      ? ` (${named ? `sequence name ${quoteFqName(sequence.name)} ` : ''}${sequenceOptions(sequence)})`
      : '';
    parts.push(`generated ${column.identity} as identity${options}`);
  } else if (target.full && column.default !== null) parts.push(`default ${column.default}`);
  if (column.notNull) parts.push('not null');
  return parts.join(' ');
}

function comments(definition: TableDefinition, table: string): string[] {
  return [
    ...(definition.comment === null
      ? []
      : [`comment on table ${table} is ${quoteLiteral(definition.comment)}`]),
    ...[...definition.columnComments].map(
      ([column, text]) => `comment on column ${table}.${quoteIdent(column)} is ${quoteLiteral(text)}`,
    ),
  ];
}

/** Clauses of newer servers are left out on older ones. */
function isPossible(clause: string, target: CreateTarget, notes: string[], name: string): boolean {
  const tooNew =
    (/\bNULLS NOT DISTINCT\b/.test(clause) && target.serverVersion < 150000) ||
    (/\b(?:WITHOUT OVERLAPS|NOT ENFORCED)\b/.test(clause) && target.serverVersion < 180000);
  if (tooNew) notes.push(`${name} is left out, this server is too old for it: ${clause}`);
  return !tooNew;
}

/** Key first. Without --create-full only what tells rows apart. */
function planIndexes(definition: TableDefinition, target: CreateTarget, notes: string[]): string[] {
  const table = quoteFqName(target.dest);
  const { key } = definition.source;
  const isKey = (index: IndexDefinition): boolean =>
    index.kind === 'primary' ||
    (key.style === 'key' &&
      index.unique &&
      !/ WHERE /.test(index.suffix) &&
      index.columns.length === key.columns.length &&
      index.columns.every((column) => key.columns.includes(column)));
  const wanted = definition.indexes.filter((index) => target.full || isKey(index));
  const used = new Set(target.taken);
  return wanted.flatMap((index): string[] => {
    if (!isPossible(index.constraint ?? index.suffix, target, notes, index.name)) return [];
    const name = freeName(target.dest.schema, index.name, used);
    return [createIndex(index, table, name)];
  });
}

/**
 * The statement that makes an index or the constraint on top of it.
 * @param table quoted
 * @param name unquoted
 */
export const createIndex = (index: IndexDefinition, table: string, name: string): string =>
  index.constraint !== null
    ? `alter table ${table} add constraint ${quoteIdent(name)} ${index.constraint}`
    : `create ${index.unique ? 'unique ' : ''}index ${quoteIdent(name)} on ${table} ${index.suffix}`;

/** `name`, or `name_1`, `name_2`… when the schema has such a relation already; cut to what the server keeps. */
export function freeName(schema: string, name: string, used: Set<string>): string {
  for (let n = 0; ; n++) {
    const suffix = n === 0 ? '' : `_${n}`;
    const candidate = cutBytes(name, 63 - suffix.length) + suffix;
    const full = `${schema}.${candidate}`;
    if (used.has(full)) continue;
    used.add(full);
    return candidate;
  }
}

function cutBytes(text: string, bytes: number): string {
  let cut = text;
  while (Buffer.byteLength(cut) > bytes) cut = [...cut].slice(0, -1).join('');
  return cut;
}
