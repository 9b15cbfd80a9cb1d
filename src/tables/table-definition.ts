/** What --create and --create-full need to know about the provider's table beside its columns. */
import type { Session } from '../db/session.ts';
import { readSequences, type SequenceDefinition } from './sequence-ddl.ts';
import type { SourceTable } from './source-table.ts';
import { readUserTypes, type UserType } from './user-types.ts';

/** One index or the constraint on top of it. */
export interface IndexDefinition {
  readonly name: string;
  readonly kind: 'primary' | 'unique constraint' | 'exclusion' | 'index';
  readonly unique: boolean;
  /** After `add constraint name`; null for a bare index. */
  readonly constraint: string | null;
  /** Of the statement that builds it, what follows the table's name: `using btree (a)`. */
  readonly suffix: string;
  /** Key columns; empty with expressions. */
  readonly columns: readonly string[];
  /** False when building it concurrently failed. */
  readonly valid: boolean;
}

/** See the file. */
export interface TableDefinition {
  readonly source: SourceTable;
  readonly indexes: readonly IndexDefinition[];
  readonly checks: readonly { readonly name: string; readonly definition: string }[];
  readonly comment: string | null;
  /** Column name → comment. */
  readonly columnComments: ReadonlyMap<string, string>;
  /** Sequences of serial and identity columns, by column. */
  readonly sequences: ReadonlyMap<string, SequenceDefinition>;
  /** Types outside pg_catalog that columns use, in the order they can be created. */
  readonly types: readonly UserType[];
}

/** Read it on the provider. */
export async function readDefinition(provider: Session, source: SourceTable): Promise<TableDefinition> {
  const oid = source.relation.oid;
  const comments = await provider.query<{ column: string | null; comment: string }>(
    `select a.attname::text as "column", d.description as comment
       from pg_description d left join pg_attribute a on a.attrelid = d.objoid and a.attnum = d.objsubid and d.objsubid > 0
      where d.classoid = 'pg_class'::regclass and d.objoid = $1`,
    [oid],
  );
  return {
    source,
    checks: await readChecks(provider, oid),
    indexes: await readIndexes(provider, oid),
    comment: comments.find((one) => one.column === null)?.comment ?? null,
    columnComments: new Map(
      comments.flatMap((one) => (one.column === null ? [] : [[one.column, one.comment] as const])),
    ),
    sequences: await readColumnSequences(provider, oid),
    types: await readUserTypes(
      provider,
      source.columns.map((column) => column.typeOid),
    ),
  };
}

/** Check constraints of a table. */
export const readChecks = (
  session: Session,
  oid: number,
): Promise<{ readonly name: string; readonly definition: string }[]> =>
  session.query(
    `select c.conname::text as name, pg_get_constraintdef(c.oid) as definition from pg_constraint c
      where c.conrelid = $1 and c.contype = 'c' order by c.conname`,
    [oid],
  );

/** Indexes of a table. */
export async function readIndexes(session: Session, oid: number): Promise<IndexDefinition[]> {
  return session.query<IndexDefinition>(
    `select i.relname::text as name, x.indisunique as "unique", x.indisvalid as valid, pg_get_constraintdef(c.oid) as constraint,
            case when x.indisprimary then 'primary' when c.contype = 'u' then 'unique constraint' when c.contype = 'x' then 'exclusion' else 'index' end as kind,
            substr(pg_get_indexdef(x.indexrelid), 1 + length(format('CREATE %sINDEX %I ON %s%I.%I ', case when x.indisunique then 'UNIQUE ' else '' end,
                   i.relname, case when t.relkind = 'p' then 'ONLY ' else '' end,
                   case when n.oid = pg_my_temp_schema() then 'pg_temp' else n.nspname end, t.relname))) as suffix,
            case when x.indexprs is null then
              array(select a.attname::text from unnest(x.indkey::int2[]) with ordinality as k (attnum, n)
                      join pg_attribute a on a.attrelid = x.indrelid and a.attnum = k.attnum where k.n <= x.indnkeyatts order by k.n) else '{}' end as columns
       from pg_index x
       join pg_class i on i.oid = x.indexrelid
       join pg_class t on t.oid = x.indrelid
       join pg_namespace n on n.oid = t.relnamespace
       left join pg_constraint c on c.conindid = x.indexrelid and c.conrelid = x.indrelid and c.contype in ('p', 'u', 'x')
      where x.indrelid = $1 and x.indislive and x.indisready
      order by x.indisprimary desc, c.contype = 'u' desc nulls last, c.contype is not null desc, i.relname`,
    [oid],
  );
}

/** Sequences that defaults and identity columns of the table take their values from. */
async function readColumnSequences(provider: Session, oid: number): Promise<Map<string, SequenceDefinition>> {
  const uses = await provider.query<{ column: string; name: string }>(
    `select a.attname::text as "column", n.nspname || '.' || s.relname as name
       from pg_attrdef f
       join pg_attribute a on a.attrelid = f.adrelid and a.attnum = f.adnum
       join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid and d.refclassid = 'pg_class'::regclass
       join pg_class s on s.oid = d.refobjid and s.relkind = 'S'
       join pg_namespace n on n.oid = s.relnamespace
      where f.adrelid = $1
     union
     select a.attname::text, n.nspname || '.' || s.relname
       from pg_depend d
       join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid and a.attidentity <> ''
       join pg_class s on s.oid = d.objid and s.relkind = 'S'
       join pg_namespace n on n.oid = s.relnamespace
      where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = $1 and d.deptype = 'i'`,
    [oid],
  );
  const found = await readSequences(
    provider,
    uses.map((use) => use.name),
  );
  return new Map(
    uses.flatMap((use) => {
      const sequence = found.get(use.name);
      return sequence ? [[use.column, sequence] as const] : [];
    }),
  );
}
