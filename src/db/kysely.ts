/** Typed queries over a session. */
import {
  type DatabaseConnection,
  type DatabaseIntrospector,
  type Dialect,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from 'kysely';
import { KajaError } from '../errors/kaja-error.ts';
import type { Database } from './schema.ts';
import type { Session } from './session.ts';

function connectionOver(session: Session): DatabaseConnection {
  return {
    async executeQuery<R>(query: {
      readonly sql: string;
      readonly parameters: readonly unknown[];
    }): Promise<QueryResult<R>> {
      const result = await session.run(query.sql, query.parameters);
      return { rows: result.rows as R[], numAffectedRows: BigInt(result.rowCount ?? 0) };
    },
    streamQuery() {
      throw new KajaError('internal', 'streaming queries are not supported, use copyOut');
    },
  };
}

const noTransaction = async (): Promise<void> => {
  throw new KajaError('internal', 'use session.transaction, Kysely works inside it');
};

/**
 * A Kysely dialect on one open session; transactions stay the session's.
 * @param introspector what Kysely's own machinery sees of the catalog
 */
export function sessionDialect(
  session: Session,
  parts: { adapter?: () => PostgresAdapter; introspector?: () => DatabaseIntrospector } = {},
): Dialect {
  const connection = connectionOver(session);
  return {
    createAdapter: parts.adapter ?? (() => new PostgresAdapter()),
    createDriver: () => ({
      init: async () => {},
      acquireConnection: async () => connection,
      beginTransaction: noTransaction,
      commitTransaction: noTransaction,
      rollbackTransaction: noTransaction,
      releaseConnection: async () => {},
      destroy: async () => {},
    }),
    createIntrospector: parts.introspector ?? ((db) => new PostgresIntrospector(db)),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  };
}

/** Kysely over a session, for reads of catalog and state tables. Every table name carries its schema: `londiste.table_info`. */
export function kyselyOver(session: Session): Kysely<Database> {
  return new Kysely<Database>({ dialect: sessionDialect(session) });
}
