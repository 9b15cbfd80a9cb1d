/** A contender at work: a database pair that it replicates, made anew for a subject. */
import { digestOf } from '../demo/same-rows.ts';
import { query, waitFor } from './query.ts';
import type { BenchServer } from './servers.ts';

/** Who is measured. `none` writes without anybody reading; `pgq-c` is capture by PgQ's C triggers, with no reader. */
export const CONTENDERS = ['none', 'built-in', 'kaja', 'pgq-c', 'londiste'] as const;

/** One of them. */
export type ContenderName = (typeof CONTENDERS)[number];

/** Both servers of a run. */
export interface Servers {
  readonly provider: BenchServer;
  readonly subscriber: BenchServer;
  /** A quick run: databases stay when a site is closed, and go with the servers, for dropping one waits for a checkpoint; `reusable` sites are used again. */
  readonly hurry: boolean;
}

/** What a site replicates. */
export interface SiteTables {
  /** DDL for both sides. */
  readonly schema: string;
  /** Statements that fill the tables before replication starts, on both sides alike. */
  readonly seed?: string;
  readonly tables: readonly string[];
  /** Several subjects write to such tables and do not mind what the others left. */
  readonly reusable?: boolean;
}

/** Process numbers of a contender's programs by what they do, for memory and CPU. */
export type Processes = Readonly<Record<string, readonly number[]>>;

/** A contender's databases. */
export interface Site {
  readonly name: ContenderName;
  readonly provider: string;
  /** The first of `subscribers`; absent when nothing is replicated. */
  readonly subscriber?: string;
  readonly subscribers: readonly string[];
  /** Make the provider capture the tables. */
  publish(tables: readonly string[]): Promise<void>;
  /**
   * Replicate published tables; resolves when their rows have arrived.
   * @param rowsAreThere both sides were filled alike: nothing is copied
   */
  subscribe(tables: readonly string[], rowsAreThere?: boolean): Promise<void>;
  /** End the programs that apply; capture goes on. */
  pause(): Promise<void>;
  /** Start them again. */
  resume(): Promise<void>;
  /** As `pause`, but the programs stay in memory, so that `thaw` measures no start of a program. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
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

/** Write a marker on the provider and wait until all subscribers have it. */
export async function catchUp(site: Site, everyMs = 20): Promise<void> {
  const id = ++markers;
  await query(site.provider, `insert into ${MARKER} values ($1)`, [id]);
  const arrived = `select exists (select from ${MARKER} where id = ${id})`;
  await Promise.all(site.subscribers.map((url) => waitFor(url, arrived, everyMs)));
}

/**
 * Compare both sides row by row, as text.
 * @returns undefined when equal, else what differs
 */
export async function difference(site: Site, tables: readonly string[]): Promise<string | undefined> {
  if (site.subscribers.length === 0) return undefined;
  for (const table of tables) {
    const [left, ...others] = await Promise.all(
      [site.provider, ...site.subscribers].map((url) => digestOf({ url, table })),
    );
    const wrong = others.find((right) => right.rows !== left?.rows || right.hash !== left.hash);
    if (wrong) return `${table} has ${wrong.rows} rows, not the provider's ${left?.rows} rows`;
  }
  return undefined;
}

/** Databases of a site. */
export interface Places {
  readonly provider: string;
  readonly subscribers: readonly string[];
}

/** Create a site's databases with their tables: one on the provider, `leaves` on the subscriber. */
export async function createPlaces(
  servers: Servers,
  prefix: string,
  schema: string,
  leaves = 1,
): Promise<Places> {
  const provider = await createDatabase(servers.provider, `${prefix}_src`);
  const subscribers: string[] = [];
  for (let at = 1; at <= leaves; at++)
    subscribers.push(await createDatabase(servers.subscriber, `${prefix}_dst${at}`));
  await Promise.all([provider, ...subscribers].map((url) => query(url, schema)));
  return { provider, subscribers };
}

/** Drop what `createPlaces` created. */
export async function dropPlaces(servers: Servers, prefix: string, leaves = 1): Promise<void> {
  if (servers.hurry) return;
  for (let at = 1; at <= leaves; at++) await dropDatabase(servers.subscriber, `${prefix}_dst${at}`);
  await dropDatabase(servers.provider, `${prefix}_src`);
}

/** Create a database on a server. @returns its URL */
export async function createDatabase(server: BenchServer, name: string): Promise<string> {
  await query(server.url('postgres'), `create database ${name}`);
  return server.url(name);
}

/* With whoever is connected. */
const dropDatabase = (server: BenchServer, name: string): Promise<unknown> =>
  query(server.url('postgres'), `drop database if exists ${name} with (force)`);
