/** What exists on a node already, of what statements for it may need or collide with. */
import { formatFqName } from '../../db/names.ts';
import type { Session } from '../../db/session.ts';
import type { TablePair } from './table-pair.ts';

/** Unquoted `schema.name` of each. */
export interface Present {
  readonly relations: ReadonlySet<string>;
  readonly collations: ReadonlySet<string>;
  readonly types: ReadonlySet<string>;
}

/** Read it: relations of the tables' schemas, sequences, types and collations that the provider's definitions name. */
export async function readPresent(session: Session, pairs: readonly TablePair[]): Promise<Present> {
  const list = (names: readonly string[]): string[] => [...new Set(names)];
  const collations = pairs.flatMap((one) =>
    one.source.source.columns.flatMap((column) => column.collation ?? []),
  );
  const sequences = pairs.flatMap((one) =>
    [...one.source.sequences.values()].map((sequence) => sequence.name),
  );
  const rows = await session.query<{ kind: keyof Present; name: string }>(
    `select 'relations' as kind, n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = any ($1::text[]) or n.nspname || '.' || c.relname = any ($2::text[])
     union all
     select 'types', n.nspname || '.' || t.typname from pg_type t join pg_namespace n on n.oid = t.typnamespace
      where n.nspname || '.' || t.typname = any ($3::text[])
     union all
     select 'collations', n.nspname || '.' || c.collname from pg_collation c join pg_namespace n on n.oid = c.collnamespace
      where n.nspname || '.' || c.collname = any ($4::text[])
        and c.collencoding in (-1, (select d.encoding from pg_database d where d.datname = current_database()))`,
    [
      list(pairs.map((one) => one.dest.source.relation.schema)),
      list(sequences),
      list(pairs.flatMap((one) => one.source.types.map(formatFqName))),
      list(collations),
    ],
  );
  const of = (kind: keyof Present): Set<string> =>
    new Set(rows.filter((row) => row.kind === kind).map((row) => row.name));
  return { relations: of('relations'), collations: of('collations'), types: of('types') };
}
