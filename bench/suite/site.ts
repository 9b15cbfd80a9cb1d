/** A contender at work: a database pair that it replicates, made anew for a subject. */
import { digestOf } from '../demo/same-rows.ts';
import { query, waitFor } from './query.ts';
import type { BenchServer } from './servers.ts';

/** Who is measured. `none` writes without anybody reading; `pgq-c` is capture by PgQ's C triggers, with no reader. */
export type ContenderName = 'none' | 'built-in' | 'kaja' | 'pgq-c';

/** Both servers of a run. */
export interface Servers {
  readonly provider: BenchServer;
  readonly subscriber: BenchServer;
}

/** What a site replicates. */
export interface SiteTables {
  /** DDL for both sides. */
  readonly schema: string;
  /** Statements that fill the provider's tables before replication starts. */
  readonly seed?: string;
  readonly tables: readonly string[];
}

/** Process numbers of a contender's programs, for memory and CPU. */
export type Processes = Readonly<Record<string, number>>;

/** A contender's databases. */
export interface Site {
  readonly name: ContenderName;
  readonly provider: string;
  /** Absent when nothing is replicated. */
  readonly subscriber?: string;
  /** Make the provider capture the tables. */
  publish(tables: readonly string[]): Promise<void>;
  /** Replicate published tables; resolves when their rows have arrived. */
  subscribe(tables: readonly string[]): Promise<void>;
  /** Stop applying; capture goes on. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  processes(): Processes;
  /** End programs and drop the databases. */
  close(): Promise<void>;
}

/** The table of `catchUp`; every subject's tables have it beside them. */
export const MARKER = 'bench_marker';

/** DDL with the marker's table added. */
export const withMarker = (schema: string): string =>
  `${schema}; create table ${MARKER} (id bigint primary key)`;

let markers = 0;

/** Write a marker on the provider and wait until the subscriber has it. */
export async function catchUp(site: Site, everyMs = 20): Promise<void> {
  const id = ++markers;
  await query(site.provider, `insert into ${MARKER} values ($1)`, [id]);
  if (site.subscriber)
    await waitFor(site.subscriber, `select exists (select from ${MARKER} where id = ${id})`, everyMs);
}

/**
 * Compare both sides row by row, as text.
 * @returns undefined when equal, else what differs
 */
export async function difference(site: Site, tables: readonly string[]): Promise<string | undefined> {
  if (!site.subscriber) return undefined;
  for (const table of tables) {
    const [left, right] = await Promise.all([
      digestOf({ url: site.provider, table }),
      digestOf({ url: site.subscriber, table }),
    ]);
    if (left.rows !== right.rows || left.hash !== right.hash)
      return `${table} has ${right.rows} rows, not the provider's ${left.rows} rows`;
  }
  return undefined;
}

/** Create a database on a server. @returns its URL */
export async function createDatabase(server: BenchServer, name: string): Promise<string> {
  await query(server.url('postgres'), `create database ${name}`);
  return server.url(name);
}

/** Drop a database, with whoever is connected. */
export const dropDatabase = (server: BenchServer, name: string): Promise<unknown> =>
  query(server.url('postgres'), `drop database if exists ${name} with (force)`);
