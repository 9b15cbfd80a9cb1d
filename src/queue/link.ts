/** Connections of programs that use the library. */
import type pg from 'pg';
import { openSession, type Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';

/** How to reach a database, as node-postgres takes it. */
export interface ConnectionConfig {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly database?: string | undefined;
  readonly user?: string | undefined;
  readonly password?: string | (() => string | Promise<string>) | undefined;
  /** `true`, or options of node:tls. */
  readonly ssl?: boolean | object | undefined;
  /** Further settings of node-postgres. */
  readonly [setting: string]: unknown;
}

/** A libpq connection string in either form (`host=… dbname=…`, `postgres://…`), or node-postgres settings. */
export type Connection = string | ConnectionConfig;

/** Open a session to the database of a program. Errors: as `openSession`. */
export function openLink(
  connection: Connection,
  applicationName: string,
  signal?: AbortSignal | undefined,
): Promise<Session> {
  const location = typeof connection === 'string' ? connection : [connection as pg.ClientConfig];
  return openSession(location, { purpose: 'admin', applicationName, signal });
}

/** One connection, opened when it is needed and again after it was lost; who uses it has it alone. */
export class Link {
  readonly #connection: Connection;
  readonly #applicationName: string;
  #session: Session | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(connection: Connection, applicationName: string) {
    this.#connection = connection;
    this.#applicationName = applicationName;
  }

  /**
   * Do something with the session, after those who asked before.
   * @throws KajaError of connecting, and what `work` threw
   */
  use<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const result = this.#last.then(async () => {
      if (this.#session?.closed) await this.#drop();
      this.#session ??= await openLink(this.#connection, this.#applicationName);
      try {
        return await work(this.#session);
      } catch (error) {
        // The server may have said goodbye before the socket is closed.
        if (error instanceof KajaError && error.code === 'connection-lost') await this.#drop();
        throw error;
      }
    });
    this.#last = result.catch(() => {});
    return result;
  }

  /** Close after what was asked for; a later `use` opens anew. */
  close(): Promise<void> {
    const result = this.#last.then(() => this.#drop());
    this.#last = result;
    return result;
  }

  async #drop(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.close();
  }
}
