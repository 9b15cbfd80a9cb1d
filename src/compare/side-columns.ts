/** Columns of one side's table as the SQL of a comparison needs them. */
import { quoteFqName } from '../db/names.ts';
import type { Session } from '../db/session.ts';
import type { HashForm } from './hash-form.ts';

/** One column. */
export interface SideColumn {
  readonly attnum: number;
  /** Unquoted. */
  readonly name: string;
  readonly type: string;
  /** Name of the type in pg_catalog that it is, or is a domain over; null for others. */
  readonly base: string | null;
  /** How values enter the hash of a row; 'text' until both sides are known. */
  readonly form: HashForm;
  /** Surely: a constraint that was never validated does not count. */
  readonly notNull: boolean;
  /** Not null on both sides; false until both are known. */
  readonly present: boolean;
  readonly generated: boolean;
  readonly identityAlways: boolean;
  /** Quoted collation; null for types without. */
  readonly collation: string | null;
  /** Function to turn a value to text with; null: a cast to text says the same. */
  readonly outputFunction: string | null;
  /** Equality that an index serves and that every server finds in pg_catalog. */
  readonly indexable: boolean;
  /** May stand in `column = 'text'`. */
  readonly comparable: boolean;
}

const INDEXABLE =
  'bool,bytea,name,int2,int4,int8,oid,text,float4,float8,varchar,bpchar,date,time,timetz,timestamp,timestamptz,interval,numeric,uuid,inet,pg_lsn';

/**
 * Read the live columns of a table.
 * Casts to text of some types (bool, char(n), inet, …) say something else than their output functions, which is what travels.
 * @param table unquoted physical name
 */
export async function readSideColumns(session: Session, table: string): Promise<SideColumn[]> {
  return session.queryPrepared<SideColumn>(
    'kaja_side_columns',
    `select a.attnum::int, a.attname::text as name, format_type(a.atttypid, a.atttypmod) as type, built.typname::text as base, 'text' as form, false as present,
            a.attnotnull and not exists (select from pg_constraint c where c.conrelid = a.attrelid and c.contype = 'n' and not c.convalidated and c.conkey = array[a.attnum]) as "notNull",
            a.attgenerated <> '' as generated, a.attidentity = 'a' as "identityAlways",
            (select format('%I.%I', n.nspname, c.collname) from pg_collation c join pg_namespace n on n.oid = c.collnamespace
              where c.oid = a.attcollation) as collation,
            case when exists (select from pg_cast k join pg_type b on b.oid = k.castsource
                               where b.typoutput = t.typoutput and k.casttarget = 'text'::regtype and k.castmethod = 'f')
                 then format('%I.%I', pn.nspname, p.proname) end as "outputFunction",
            t.typtype = 'e' or base.typname is not null as indexable,
            t.typtype = 'e' or base.typname is not null or t.typoutput = 'array_out'::regproc
              or t.typname in ('jsonb', 'bit', 'varbit', 'money', 'macaddr', 'cidr', 'tsvector') and t.typnamespace = 'pg_catalog'::regnamespace as comparable
       from pg_attribute a
       join pg_type t on t.oid = a.atttypid
       join pg_proc p on p.oid = t.typoutput
       join pg_namespace pn on pn.oid = p.pronamespace
       left join lateral (select b.typname from pg_type b
                           where b.typoutput = t.typoutput and b.typnamespace = 'pg_catalog'::regnamespace
                             and b.typname = any (string_to_array($2, ',')) limit 1) base on true
       left join lateral (select b.typname from pg_type b
                           where b.typoutput = t.typoutput and b.typnamespace = 'pg_catalog'::regnamespace and b.typtype = 'b'
                           order by b.oid limit 1) built on true
      where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped
      order by a.attnum`,
    [quoteFqName(table), INDEXABLE],
  );
}
