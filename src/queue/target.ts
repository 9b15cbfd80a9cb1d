/** The database that a consumer writes to exactly once: transactions of a connection of ours, of a pool of pg, or of kysely. */
import type pg from 'pg';
import { parseConnectionString, toClientConfigs } from '../config/connection-string.ts';
import { driver } from '../db/driver.ts';
import { toConnectError } from '../db/sql-error.ts';
import type { Connection } from './link.ts';
import { type Executor, type PgTransaction, transactionExecutor } from './transaction.ts';

/** What a handler writes with when `into` is a connection string. */
export interface TargetClient {
  // biome-ignore lint/suspicious/noExplicitAny: rows are whatever the program selects
  query(text: string, values?: unknown[]): Promise<{ rows: any[]; rowCount: number | null }>;
}

/** A pool of node-postgres. */
export interface TargetPool<C> {
  connect(): Promise<C>;
  readonly totalCount: number;
}

/** An instance of kysely. */
export interface TargetKysely<C> {
  transaction(): { execute<T>(work: (transaction: C) => Promise<T>): Promise<T> };
}

/** Where to write: a connection string or settings, a pool of pg, or a Kysely instance. */
export type Target<C> = Connection | TargetPool<C> | TargetKysely<C>;

/** The handler's own failure, apart from those of the connection; `cause` is what it threw. */
export class WorkFailure extends Error {}

/** Runs `work` in a transaction: commits when it resolves, else rolls back. */
export interface Transactor<C> {
  /**
   * @throws WorkFailure when `work` threw and the transaction was rolled back, or the server refused the commit; anything else is
   * the connection's failure
   */
  run(work: (transaction: C, on: Executor) => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

/** A client for one transaction, and what happens to it afterwards. */
interface Lease {
  readonly client: PgTransaction;
  release(broken: boolean): void | Promise<void>;
}

/** Make the transactions of a target. The connection is opened at the first one. */
export function transactorOf<C>(target: Target<C>): Transactor<C> {
  if (typeof target === 'object' && 'transaction' in target && typeof target.transaction === 'function')
    return kyselyTransactor(target as TargetKysely<C>);
  if (typeof target === 'object' && 'totalCount' in target && typeof target.connect === 'function') {
    const pool = target as TargetPool<PgTransaction & { release(broken: boolean): void }>;
    const lease = async (): Promise<Lease> => {
      const client = await pool.connect();
      return { client, release: (broken) => client.release(broken) };
    };
    return { run: (work) => inTransaction(lease, work), close: async () => {} };
  }
  return ownTransactor(target as Connection);
}

function kyselyTransactor<C>(db: TargetKysely<C>): Transactor<C> {
  return {
    close: async () => {},
    run: async (work) => {
      let failure: { error: unknown } | undefined;
      try {
        await db.transaction().execute(async (transaction) => {
          try {
            await work(transaction, transactionExecutor(transaction as never));
          } catch (error) {
            failure = { error };
            throw error;
          }
        });
      } catch (error) {
        // Another error than the work's own: the connection was lost, or the commit was refused.
        if (failure?.error === error || isRefusal(error)) throw new WorkFailure('', { cause: error });
        throw error;
      }
    },
  };
}

/** One connection of ours, with the settings the role has by default: statements run as in the program's own sessions. */
function ownTransactor<C>(connection: Connection): Transactor<C> {
  let client: pg.Client | undefined;
  const close = async (): Promise<void> => {
    const old = client;
    client = undefined;
    await old?.end().catch(() => {});
  };
  const lease = async (): Promise<Lease> => {
    client ??= await connectPlain(connection);
    return { client, release: (broken) => (broken ? close() : undefined) };
  };
  return { run: (work) => inTransaction(lease, work), close };
}

async function connectPlain(connection: Connection): Promise<pg.Client> {
  const configs =
    typeof connection === 'string'
      ? toClientConfigs(parseConnectionString(connection, process.env))
      : [connection as pg.ClientConfig];
  let failure: unknown;
  for (const config of configs) {
    const client = new driver.Client({ keepAlive: true, application_name: 'kaja consumer', ...config });
    // Without a listener a lost connection would end the process; the next statement tells.
    client.on('error', () => {});
    try {
      await client.connect();
      return client;
    } catch (error) {
      failure = error;
      await client.end().catch(() => {});
    }
  }
  throw toConnectError(failure, 'the target database');
}

async function inTransaction<C>(
  open: () => Promise<Lease>,
  work: (transaction: C, on: Executor) => Promise<void>,
): Promise<void> {
  const { client, release } = await open();
  let broken = true;
  try {
    await client.query('begin');
    try {
      await work(client as C, transactionExecutor(client));
    } catch (error) {
      await client.query('rollback');
      broken = false;
      throw new WorkFailure('', { cause: error });
    }
    try {
      const result = (await client.query('commit')) as { command?: string };
      broken = false;
      if (result.command === 'ROLLBACK')
        throw new WorkFailure('', {
          cause: new Error('a statement had failed, the transaction was rolled back'),
        });
    } catch (error) {
      broken = !isRefusal(error) && !(error instanceof WorkFailure);
      throw isRefusal(error) ? new WorkFailure('', { cause: error }) : error;
    }
  } finally {
    await release(broken);
  }
}

/** A constraint that is checked at commit, or a statement that failed before: the work's fault, trying again as it is does not help. */
const isRefusal = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  typeof error.code === 'string' &&
  /^(?:2[0-9]|4[02]|P0)[0-9A-Z]{3}$/.test(error.code);
