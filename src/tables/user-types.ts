/** Types outside pg_catalog that a table's columns need, and how to make the simple ones. */
import { quoteFqName, quoteLiteral } from '../db/names.ts';
import type { Session } from '../db/session.ts';

/** An enum, a domain or something that kaja does not create. */
export interface UserType {
  readonly schema: string;
  readonly name: string;
  readonly kind: 'enum' | 'domain' | 'other';
  /** Name of the extension that brings it. */
  readonly extension: string | null;
  readonly labels: readonly string[];
  /** Of a domain. */
  readonly base: string | null;
  readonly notNull: boolean;
  readonly default: string | null;
  readonly checks: readonly string[];
}

/**
 * Read the types and those they rest on; a type comes after what it needs.
 * @param oids types of this session's database
 */
export async function readUserTypes(session: Session, oids: readonly number[]): Promise<UserType[]> {
  return session.query<UserType>(
    `with recursive step as (
       select t.oid, t.typtype, t.typcategory, t.typbasetype, t.typelem, 0 as n from pg_type t where t.oid = any ($1::oid[])
       union
       select t.oid, t.typtype, t.typcategory, t.typbasetype, t.typelem, s.n + 1
         from step s
         join pg_type t on t.oid = case when s.typtype = 'd' then s.typbasetype when s.typcategory = 'A' then nullif(s.typelem, 0) end)
     select n.nspname::text as schema, t.typname::text as name,
            case t.typtype when 'e' then 'enum' when 'd' then 'domain' else 'other' end as kind,
            (select e.extname::text from pg_depend d join pg_extension e on e.oid = d.refobjid and d.refclassid = 'pg_extension'::regclass
              where d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype = 'e') as extension,
            array(select l.enumlabel::text from pg_enum l where l.enumtypid = t.oid order by l.enumsortorder) as labels,
            case when t.typtype = 'd' then format_type(t.typbasetype, t.typtypmod) end as base, t.typnotnull as "notNull", t.typdefault as default,
            array(select format('constraint %I %s', c.conname, pg_get_constraintdef(c.oid)) from pg_constraint c
                   where c.contypid = t.oid and c.contype = 'c' order by c.conname) as checks
       from (select oid, max(n) as n from step group by oid) s
       join pg_type t on t.oid = s.oid
       join pg_namespace n on n.oid = t.typnamespace
      where n.nspname <> 'pg_catalog' and not (t.typcategory = 'A' and t.typelem <> 0)
      order by s.n desc, 1, 2`,
    [[...new Set(oids)]],
  );
}

/** The statement that makes the type; undefined for kinds that are not simple. */
export function createType(type: UserType): string | undefined {
  const name = quoteFqName(type);
  if (type.extension !== null) return undefined;
  if (type.kind === 'enum')
    return `create type ${name} as enum (${type.labels.map(quoteLiteral).join(', ')})`;
  if (type.kind === 'domain') {
    const parts = [
      type.default === null ? '' : ` default ${type.default}`,
      type.notNull ? ' not null' : '',
      ...type.checks.map((check) => ` ${check}`),
    ];
    return `create domain ${name} as ${type.base}${parts.join('')}`;
  }
  return undefined;
}
