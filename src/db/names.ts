/** Names and literals in SQL text, spelled exactly as the server's quote_ident and quote_literal do. */

/** A relation or function name in two parts, unquoted. */
export interface FqName {
  readonly schema: string;
  readonly name: string;
}

/** Every keyword that is not "unreserved" in some PostgreSQL from 14 to 18; quoting one too many is harmless. */
const RESERVED = new Set(
  `all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case cast
  char character check coalesce collate collation column concurrently constraint create cross current_catalog
  current_date current_role current_schema current_time current_timestamp current_user dec decimal default deferrable
  desc distinct do else end except exists extract false fetch float for foreign freeze from full grant greatest group
  grouping having ilike in initially inner inout int integer intersect interval into is isnull join json json_array
  json_arrayagg json_exists json_object json_objectagg json_query json_scalar json_serialize json_table json_value
  lateral leading least left like limit localtime localtimestamp merge_action national natural nchar none normalize not
  notnull null nullif numeric offset on only or order out outer overlaps overlay placing position precision primary real
  references returning right row select session_user setof similar smallint some substring symmetric system_user table
  tablesample then time timestamp to trailing treat trim true union unique user using values varchar variadic verbose
  when where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot
  xmlserialize xmltable`.split(/\s+/),
);

/**
 * Split a name the way Londiste does: the first dot separates the schema, a missing schema means `public`.
 * @param text unquoted name, for example `public.my table`
 */
export function parseFqName(text: string): FqName {
  const dot = text.indexOf('.');
  return dot < 0
    ? { schema: 'public', name: text }
    : { schema: text.slice(0, dot), name: text.slice(dot + 1) };
}

/** The unquoted `schema.name` under which Londiste stores a relation. */
export function formatFqName(name: FqName): string {
  return `${name.schema}.${name.name}`;
}

/** Quote an identifier when it needs it, as the server's `quote_ident` does. */
export function quoteIdent(name: string): string {
  if (/^[a-z_][a-z0-9_]*$/.test(name) && !RESERVED.has(name)) return name;
  return `"${name.replaceAll('"', '""')}"`;
}

/**
 * Quote both parts of a relation name.
 * @param name two parts, or unquoted text that is split at its first dot
 */
export function quoteFqName(name: FqName | string): string {
  const parts = typeof name === 'string' ? parseFqName(name) : name;
  return `${quoteIdent(parts.schema)}.${quoteIdent(parts.name)}`;
}

/** A string constant; like the server's `quote_literal` it turns to the E'' form when there is a backslash. */
export function quoteLiteral(text: string): string {
  const body = text.replaceAll("'", "''");
  return body.includes('\\') ? `E'${body.replaceAll('\\', '\\\\')}'` : `'${body}'`;
}
