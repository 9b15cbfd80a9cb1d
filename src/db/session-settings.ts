/** Settings every session pins, so that text written by one server means the same to another. */

/** What a session is for; decides which settings are pinned. */
export type SessionPurpose = 'read' | 'apply' | 'admin' | 'listen';

/** Limits are milliseconds; 0 or absent means none, whatever the role's or database's default is. */
export interface SessionLimits {
  readonly statementTimeoutMs?: number | undefined;
  readonly lockTimeoutMs?: number | undefined;
  /** Batches are read here: by the index and by one process, whatever the planner thinks, which has no statistics of tables that only grow. */
  readonly readsBatches?: boolean | undefined;
}

const PINNED: Readonly<Record<string, string>> = {
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  extra_float_digits: '1',
  bytea_output: 'hex',
  client_encoding: 'UTF8',
  client_min_messages: 'warning',
  standard_conforming_strings: 'on',
  array_nulls: 'on',
  xmloption: 'content',
  lc_monetary: 'C',
  search_path: 'pg_catalog',
  // Rows hidden by a policy must be an error, never a silently partial copy.
  row_security: 'off',
  check_function_bodies: 'on',
  default_transaction_isolation: 'read committed',
  idle_in_transaction_session_timeout: '0',
  idle_session_timeout: '0',
  transaction_timeout: '0',
  // Planning estimates of staging tables are far off; compiling costs more than it saves.
  jit: 'off',
};

/** Names and values to set, in order. Names a server does not know are skipped by `PIN_SETTINGS`. */
export function settingsFor(limits: SessionLimits): { names: string[]; values: string[] } {
  const all: Record<string, string> = {
    ...PINNED,
    statement_timeout: String(limits.statementTimeoutMs ?? 0),
    lock_timeout: String(limits.lockTimeoutMs ?? 0),
    ...(limits.readsBatches ? { enable_seqscan: 'off', max_parallel_workers_per_gather: '0' } : {}),
  };
  return { names: Object.keys(all), values: Object.values(all) };
}

/**
 * One statement that pins the settings ($1 names, $2 values) and tells about the server.
 * Settings of newer majors are left out: they have no value. (The view pg_settings would tell too, and take ten times as long.)
 */
export const PIN_SETTINGS = `
  select pg_catalog.count(pg_catalog.set_config(w.name, w.value, false)) as pinned,
         pg_catalog.current_setting('server_version_num')::int4 as server_version,
         pg_catalog.pg_backend_pid() as backend_pid,
         pg_catalog.current_database()::text as database,
         current_user::text as user_name,
         pg_catalog.pg_is_in_recovery() as in_recovery,
         pg_catalog.current_setting('transaction_read_only') = 'on' as read_only
    from rows from (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) as w (name, value)
   where pg_catalog.current_setting(w.name, true) is not null`;
