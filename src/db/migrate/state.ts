/** What a database holds of our schemas. */
import type { Session } from '../session.ts';
import { OPTIONAL_SCHEMAS, SCHEMAS, type SchemaName } from './source.ts';

/** A migration that was applied. */
export interface AppliedMigration {
  readonly name: string;
  readonly schema: string | null;
  readonly checksum: string | null;
}

/** Function files a schema stands at. */
export interface AppliedFunctions {
  readonly schema: string;
  readonly checksum: string;
  readonly version: string;
}

/** Result of `readInstallState`. */
export interface InstallState {
  /** Do the bookkeeping tables exist? */
  readonly bookkeeping: boolean;
  readonly migrations: readonly AppliedMigration[];
  readonly functions: readonly AppliedFunctions[];
  /** Our schemas that belong to a genuine upstream extension of the same name. */
  readonly extensions: ReadonlySet<SchemaName>;
  /** Our schemas that somebody else made and that stay as they are: those of extensions, and optional ones without a migration of ours. */
  readonly leftAlone: ReadonlySet<SchemaName>;
  /** Our schemas that exist, whoever made them. */
  readonly schemas: ReadonlySet<SchemaName>;
}

/** Read which of our schemas exist, who made them and what was applied; writes nothing. */
export async function readInstallState(session: Session): Promise<InstallState> {
  const facts = await session.one<{ bookkeeping: boolean; extensions: string[]; schemas: string[] }>(
    `select pg_catalog.to_regclass('kaja.schema_migration') is not null
              and pg_catalog.to_regclass('kaja.schema_functions') is not null as bookkeeping,
            array(select e.extname::text from pg_catalog.pg_extension e where e.extname = any ($1::text[])) as extensions,
            array(select n.nspname::text from pg_catalog.pg_namespace n where n.nspname = any ($1::text[])) as schemas`,
    [[...SCHEMAS]],
  );
  const pick = (names: readonly string[]): Set<SchemaName> =>
    new Set(SCHEMAS.filter((one) => names.includes(one)));
  const migrations = facts.bookkeeping
    ? await session.query<AppliedMigration>(
        'select name, schema_name as schema, checksum from kaja.schema_migration order by name',
      )
    : [];
  const foreign = OPTIONAL_SCHEMAS.filter(
    (one) => facts.schemas.includes(one) && !migrations.some((row) => row.schema === one),
  );
  return {
    bookkeeping: facts.bookkeeping,
    migrations,
    functions: facts.bookkeeping
      ? await session.query<AppliedFunctions>(
          'select schema, checksum, kaja_version as version from kaja.schema_functions order by schema',
        )
      : [],
    extensions: pick(facts.extensions),
    leftAlone: pick([...facts.extensions, ...foreign]),
    schemas: pick(facts.schemas),
  };
}
