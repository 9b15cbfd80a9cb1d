/** Tables that remember what was installed. They exist before the first migration, so they are none themselves. */

/** Everyone who installs or removes our schemas in a database holds this transaction-level lock: `kaja` as a number, 0 = install. */
export const INSTALL_LOCK = 'select pg_catalog.pg_advisory_xact_lock(1801546337, 0)';

/** Columns `name` and `timestamp` of the first table and all of the second are Kysely's. */
export const CREATE_BOOKKEEPING = `
create schema if not exists kaja;
create table if not exists kaja.schema_migration (
    name         text primary key,
    "timestamp"  text not null,
    schema_name  text,
    checksum     text,
    kaja_version text
);
create table if not exists kaja.schema_migration_lock (
    id        text primary key,
    is_locked int4 not null default 0
);
create table if not exists kaja.schema_functions (
    schema       text primary key,
    checksum     text not null,
    applied_at   timestamptz not null default pg_catalog.now(),
    kaja_version text not null
);
`;
