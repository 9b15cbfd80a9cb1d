/** Runs migrations through Kysely's Migrator inside the installer's transaction. */
import {
  type DatabaseIntrospector,
  Kysely,
  type Migration,
  type MigrationProvider,
  Migrator,
  PostgresAdapter,
  type SchemaMetadata,
  type TableMetadata,
} from 'kysely';
import { sessionDialect } from '../kysely.ts';
import type { Database } from '../schema.ts';
import type { Session } from '../session.ts';
import { runSqlFile } from './run-sql-file.ts';
import type { MigrationFile } from './source.ts';

const TABLE = 'schema_migration';
const LOCK_TABLE = 'schema_migration_lock';

/** Transaction and lock are the installer's. */
class InstallerAdapter extends PostgresAdapter {
  override get supportsTransactionalDdl(): boolean {
    return false;
  }
  override async acquireMigrationLock(): Promise<void> {}
  override async releaseMigrationLock(): Promise<void> {}
}

/** Tells the Migrator that its tables exist; the stock one reads every column of the database to find out. */
const bookkeepingOnly: DatabaseIntrospector = {
  getSchemas: async (): Promise<SchemaMetadata[]> => [{ name: 'kaja' }],
  getTables: async (): Promise<TableMetadata[]> =>
    [TABLE, LOCK_TABLE].map((name) => ({ name, schema: 'kaja', isView: false, columns: [] })),
  getMetadata: async () => ({ tables: await bookkeepingOnly.getTables() }),
};

/**
 * Apply migrations in order and record them with their checksums.
 * @param session has an open transaction that holds the install lock; the bookkeeping tables exist
 * @param pending migrations to apply
 * @param applied names that were applied before
 * @param version program version to record
 * @param onStart told before each migration
 * @throws KajaError with file and line of the failing statement
 */
export async function runMigrations(
  session: Session,
  pending: readonly MigrationFile[],
  applied: readonly string[],
  version: string,
  onStart: (file: MigrationFile) => void,
): Promise<void> {
  const migrations: Record<string, Migration> = {};
  for (const name of applied) migrations[name] = { up: async () => {} };
  for (const file of pending) {
    migrations[file.name] = {
      up: async () => {
        onStart(file);
        await runSqlFile(session, file);
      },
    };
  }
  const provider: MigrationProvider = { getMigrations: async () => migrations };
  const migrator = new Migrator({
    db: new Kysely<Database>({
      dialect: sessionDialect(session, {
        adapter: () => new InstallerAdapter(),
        introspector: () => bookkeepingOnly,
      }),
    }),
    provider,
    migrationTableSchema: 'kaja',
    migrationTableName: TABLE,
    migrationLockTableName: LOCK_TABLE,
    // A schema that an extension used to own may come later than the others.
    allowUnorderedMigrations: true,
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
  await session.query(
    `update kaja.schema_migration m
        set schema_name = f.schema_name, checksum = f.checksum, kaja_version = $4
       from rows from (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[])) as f (name, schema_name, checksum)
      where m.name = f.name`,
    [
      pending.map((file) => file.name),
      pending.map((file) => file.schema),
      pending.map((file) => file.checksum),
      version,
    ],
  );
}
