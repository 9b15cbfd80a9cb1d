/** Collations: does text sort alike on both sides, and as it did when the indexes were built. */

import { quoteIdent } from '../db/names.ts';
import type { Session } from '../db/session.ts';
import type { PairCheck, SideCheck } from './check.ts';
import { info, listNames, ok, type Verdict, warning } from './finding.ts';
import { pairTables } from './pair-tables.ts';
import { existing, type WatchedTable } from './side.ts';

/** Default collation of a database. Null where the server does not know such a thing. */
export interface DatabaseCollation {
  readonly database: string;
  readonly collate: string;
  /** libc, icu or builtin. */
  readonly provider: string;
  readonly locale: string | null;
  /** Version when the database was made. */
  readonly recorded: string | null;
  /** Version of the operating system now; recorded where the server cannot tell. */
  readonly actual: string | null;
  /** Collations used by watched tables whose version changed. */
  readonly changed: readonly string[];
}

/** Judge the versions of a database's collations. */
export function judgeCollation(state: DatabaseCollation): Verdict[] {
  const list: Verdict[] = [];
  const database = quoteIdent(state.database);
  if (state.recorded !== state.actual)
    list.push(
      warning(
        `the database was made with collation version ${state.recorded ?? 'none'}, the system has ${state.actual ?? 'none'}: indexes on text may be wrong`,
        `reindex database ${database}; then alter database ${database} refresh collation version`,
      ),
    );
  for (const name of state.changed)
    list.push(
      warning(
        `the version of collation ${name} has changed: indexes that use it may be wrong`,
        `reindex them, then alter collation ${name} refresh version`,
      ),
    );
  return list.length > 0 ? list : [ok('collation versions are as recorded')];
}

/** @param textKeys tables whose key holds text */
export function judgeCollations(
  provider: DatabaseCollation,
  subscriber: DatabaseCollation,
  textKeys: readonly string[],
): Verdict[] {
  const name = (one: DatabaseCollation): string =>
    [one.provider, one.locale ?? one.collate, one.actual].filter(Boolean).join(' ');
  if (name(provider) === name(subscriber)) return [ok(`text sorts by ${name(provider)} on both sides`)];
  if (textKeys.length === 0) return [];
  return [
    info(
      `text sorts by ${name(provider)} on the provider and by ${name(subscriber)} here; keys with text: ${listNames(textKeys)}`,
      'harmless for replication; queries may return another order, and unique indexes with nondeterministic collations may refuse rows',
    ),
  ];
}

const PROVIDERS: Readonly<Record<string, string>> = { c: 'libc', i: 'icu', b: 'builtin' };

async function readCollation(session: Session, oids: readonly number[]): Promise<DatabaseCollation> {
  // The row as JSON: what it holds differs from version to version.
  const actual =
    session.serverVersion >= 150_000 ? 'pg_database_collation_actual_version(d.oid)' : 'null::text';
  const row = await session.one<DatabaseCollation & Record<string, unknown>>(
    `select d.datname::text as database, d.datcollate::text as collate,
            coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') as provider,
            coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') as locale,
            to_jsonb(d) ->> 'datcollversion' as recorded, ${actual} as actual,
            array(select distinct format('%I.%I', n.nspname, o.collname)
                    from pg_attribute a join pg_collation o on o.oid = a.attcollation join pg_namespace n on n.oid = o.collnamespace
                   where a.attrelid = any ($1::oid[]) and a.attnum > 0 and not a.attisdropped
                     and o.collversion is not null and o.collversion is distinct from pg_collation_actual_version(o.oid)) as changed
       from pg_database d where d.datname = current_database()`,
    [oids],
  );
  return { ...row, provider: PROVIDERS[row.provider] ?? row.provider };
}

/** Text among the columns that tell rows apart? */
function hasTextKey(table: WatchedTable): boolean {
  const columns = table.keyColumns.length > 0 ? table.keyColumns : (table.keys[0]?.columns ?? []);
  return table.columns.some(
    (one) => columns.includes(one.name) && /^(text|character|citext|name|"char")/.test(one.type),
  );
}

const oidsOf = (side: Parameters<SideCheck['run']>[0]): number[] =>
  existing(side).map((one) => one.relation.oid);

/** Collation versions of a database. */
export const checkCollation: SideCheck = {
  name: 'collation',
  run: async (side) => judgeCollation(await readCollation(side.session, oidsOf(side))),
};

/** Collations of both sides. */
export const checkCollations: PairCheck = {
  name: 'collation',
  async run(pair) {
    const textKeys = pairTables(pair).flatMap((one) =>
      one.provider && hasTextKey(one.provider) ? one.provider.name : [],
    );
    return judgeCollations(
      await readCollation(pair.provider.session, []),
      await readCollation(pair.subscriber.session, []),
      textKeys,
    );
  },
};
