/** Tells whether values of a provider's type can go into a type of this node. */
import type { Session } from '../db/session.ts';

/** What a type is underneath: domains and arrays taken off. */
export interface BaseType {
  /** `schema.name` of the innermost type. */
  readonly name: string;
  readonly category: string;
  /** Array levels. */
  readonly depth: number;
}

const FAMILIES: Readonly<Record<string, readonly string[]>> = {
  number: ['int2', 'int4', 'int8', 'numeric', 'float4', 'float8', 'oid'],
  text: ['text', 'varchar', 'bpchar', 'name', 'char'],
  timestamp: ['timestamp', 'timestamptz'],
  time: ['time', 'timetz'],
  json: ['json', 'jsonb'],
  network: ['inet', 'cidr'],
  bits: ['bit', 'varbit'],
};
const FAMILY_OF: ReadonlyMap<string, string> = new Map<string, string>(
  Object.entries(FAMILIES).flatMap(([family, names]) =>
    names.map((name) => [`pg_catalog.${name}`, family] as const),
  ),
);

/** Name of the family: types of one family take each other's text; types of the user are families of their own, by name. */
export function familyOf(type: BaseType): string {
  const family =
    FAMILY_OF.get(type.name) ??
    (type.category === 'S' ? 'text' : type.name.slice(type.name.indexOf('.') + 1));
  return family + '[]'.repeat(type.depth);
}

/** Can a column of type `dest` take the text of every value of type `source`, but for its width? */
export function isComparable(source: BaseType, dest: BaseType): boolean {
  const to = familyOf(dest);
  return to === 'text' || to === familyOf(source);
}

/**
 * Read what types are underneath.
 * @param oids types of this session's database
 */
export async function readBaseTypes(
  session: Session,
  oids: readonly number[],
): Promise<Map<number, BaseType>> {
  const rows = await session.query<{ oid: number; name: string; category: string; depth: number }>(
    `with recursive step as (
       select t.oid as start, t.oid, t.typtype, t.typcategory, t.typbasetype, t.typelem, 0 as depth, 0 as n
         from pg_type t where t.oid = any ($1::oid[])
       union all
       select s.start, t.oid, t.typtype, t.typcategory, t.typbasetype, t.typelem, s.depth + (s.typtype <> 'd')::int4, s.n + 1
         from step s
         join pg_type t on t.oid = case when s.typtype = 'd' then s.typbasetype when s.typcategory = 'A' then nullif(s.typelem, 0) end)
     select distinct on (s.start) s.start as oid, n.nspname || '.' || t.typname as name, t.typcategory::text as category, s.depth
       from step s join pg_type t on t.oid = s.oid join pg_namespace n on n.oid = t.typnamespace
      order by s.start, s.n desc`,
    [[...new Set(oids)]],
  );
  return new Map(rows.map((row) => [row.oid, { name: row.name, category: row.category, depth: row.depth }]));
}
