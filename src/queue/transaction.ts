/** Ways to run statements: a session of ours, or the transaction a program has open with pg or kysely. */
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { copyIn } from '../db/copy-stream.ts';
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';

/** A client of node-postgres (`Client`, `PoolClient`), with or without an open transaction. */
export interface PgTransaction {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
}

/** A transaction of kysely: `trx` of `db.transaction().execute(trx => …)`, or a controlled one. */
export interface KyselyTransaction {
  readonly isTransaction: boolean;
  executeQuery(query: never): Promise<{ rows: unknown[] }>;
}

/** Where events can be produced besides the queue's own connection. */
export type Transaction = PgTransaction | KyselyTransaction;

/** Runs statements; `copy` is there when COPY can be streamed. */
export interface Executor {
  query<R>(text: string, values?: readonly unknown[]): Promise<R[]>;
  readonly copy?: ((text: string, chunks: AsyncIterable<string>) => Promise<void>) | undefined;
}

/** An executor over a session of ours. */
export const sessionExecutor = (session: Session): Executor => ({
  query: (text, values) => session.query(text, values),
  copy: async (text, chunks) => void (await copyIn(session, text, chunks)),
});

/**
 * An executor over what a program gave.
 * @throws KajaError transaction-invalid for a pool, a Kysely instance, a client that was not connected and anything else that is no transaction
 */
export function transactionExecutor(given: Transaction): Executor {
  if (typeof given !== 'object' || given === null)
    throw invalid(`got ${given === null ? 'null' : typeof given}`);
  if ('executeQuery' in given) {
    if (given.isTransaction !== true)
      throw invalid('got a Kysely instance', 'give the trx of db.transaction().execute(trx => …)');
    return kyselyExecutor(given);
  }
  if (typeof given.query !== 'function') throw invalid('got an object without query()');
  if ('totalCount' in given && 'idleCount' in given)
    throw invalid('got a pool', 'take a client with pool.connect(), begin and commit on it');
  // pg lets statements wait for a connect() that nobody may ever call.
  if (
    '_connected' in given &&
    given._connected === false &&
    '_connecting' in given &&
    given._connecting === false
  )
    throw invalid('got a client that is not connected', 'await client.connect() and begin before');
  return pgExecutor(given);
}

const invalid = (
  what: string,
  hint = 'give a Client or PoolClient of pg, or a Transaction of kysely',
): KajaError => new KajaError('transaction-invalid', `option transaction: ${what}`, { hint });

function kyselyExecutor(transaction: KyselyTransaction): Executor {
  return {
    query: async <R>(sql: string, parameters: readonly unknown[] = []) => {
      // The shape of CompiledQuery.raw, whose type belongs to the program's own version of kysely.
      const query = { sql, parameters, query: { kind: 'RawNode', sqlFragments: [sql], parameters: [] } };
      return (await transaction.executeQuery({ ...query, queryId: { queryId: 'kaja' } } as never))
        .rows as R[];
    },
  };
}

function pgExecutor(client: PgTransaction): Executor {
  const query = async <R>(text: string, values?: readonly unknown[]): Promise<R[]> =>
    (await client.query(text, values ? [...values] : undefined)).rows as R[];
  // The native client cannot stream.
  return 'connection' in client
    ? { query, copy: (text, chunks) => streamInto(client as pg.Client, text, chunks) }
    : { query };
}

async function streamInto(client: pg.Client, text: string, chunks: AsyncIterable<string>): Promise<void> {
  const stream = client.query(copyFrom(text));
  let failure: unknown;
  const ended = new Promise<void>((resolve) => {
    stream.once('finish', resolve);
    stream.once('error', (error: unknown) => {
      failure ??= error;
      resolve();
    });
  });
  try {
    for await (const chunk of chunks) {
      await Promise.race([new Promise<void>((resolve) => stream.write(chunk, () => resolve())), ended]);
      if (failure) throw failure;
    }
    stream.end();
  } catch (error) {
    // Tells the server to give the COPY up; the client can be used again once it has answered.
    stream.destroy(error instanceof Error ? error : new Error(String(error)));
    await ended;
    throw error;
  }
  await ended;
  if (failure) throw failure;
}
