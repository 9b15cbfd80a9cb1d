/** A connection to one database with pinned settings; the only way kaja talks to servers. */
import { setMaxListeners } from 'node:events';
import type pg from 'pg';
import { describeLocation, parseConnectionString, toClientConfigs } from '../config/connection-string.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { type Connected, connect, destroySocket, type ServerFacts } from './connect.ts';
import type { SessionLimits, SessionPurpose } from './session-settings.ts';
import { toKajaError } from './sql-error.ts';

// Together with what services grant a batch in hand, a stop stays below five seconds even when a server has fallen silent.
const CLOSE_GRACE_MS = 1_500;
const CANCEL_GRACE_MS = 1_500;

/** Options of `openSession`. */
export interface SessionOptions extends SessionLimits {
  /** Shown in pg_stat_activity; wins over the location's. */
  readonly applicationName?: string | undefined;
  readonly purpose: SessionPurpose;
  /** Aborting stops connecting, cancels the running statement and refuses further ones; rollback and close still work. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of `Session.transaction`. */
export interface TransactionOptions {
  readonly isolation?: 'read committed' | 'repeatable read' | 'serializable' | undefined;
  readonly readOnly?: boolean | undefined;
}

/** One row of a result; narrow it with the type argument of `query`. */
export type Row = Record<string, unknown>;

/**
 * An open connection. int8 arrives as bigint, int2/int4/oid/float as number, bool as boolean, bytea as Buffer; everything else
 * (dates, numerics, json) stays the server's text. All failures are KajaErrors.
 */
export class Session implements AsyncDisposable {
  /** For COPY streams and notifications; settings and transactions belong to the session. */
  readonly client: pg.Client;
  /** Description without password. */
  readonly location: string;
  readonly purpose: SessionPurpose;
  readonly facts: ServerFacts;
  readonly #config: pg.ClientConfig;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.#stopRunning();
  #lost: unknown;
  #closed = false;
  #running = 0;
  /** A cancel request on its way; a statement sent before it arrived would be hit by it. */
  #cancelling: Promise<boolean> | undefined;
  #inTransaction = false;

  /** Use `openSession`. */
  constructor(connected: Connected, location: string, options: SessionOptions) {
    this.client = connected.client;
    this.facts = connected.facts;
    this.location = location;
    this.purpose = options.purpose;
    this.#config = connected.config;
    this.#signal = options.signal;
    this.client.on('error', (error) => {
      this.#lost ??= error;
    });
    this.client.on('end', () => {
      this.#lost ??= new Error('Connection terminated');
    });
    if (this.#signal) {
      // One signal stops a whole node, which may have dozens of sessions.
      setMaxListeners(0, this.#signal);
      this.#signal.addEventListener('abort', this.#onAbort, { once: true });
    }
  }

  /** As `server_version_num`, for example 140023. */
  get serverVersion(): number {
    return this.facts.serverVersion;
  }

  /** Is a transaction of `transaction` open? */
  get inTransaction(): boolean {
    return this.#inTransaction;
  }

  /** Closed by us or lost; a new session is needed. */
  get closed(): boolean {
    return this.#closed || this.#lost !== undefined;
  }

  /**
   * Run a statement and return its rows. Without values the text may hold several statements; the last one's rows count.
   * @param values numbers, bigints, strings, booleans, arrays, Buffers, null
   */
  async query<R = Row>(text: string, values?: readonly unknown[]): Promise<R[]> {
    return (await this.run(text, values)).rows as R[];
  }

  /**
   * As `query`, for a statement that comes again and again and takes longer to plan than to run: the server keeps it.
   * @param name of the statement in this session; the same name always with the same text
   */
  async queryPrepared<R = Row>(name: string, text: string, values: readonly unknown[]): Promise<R[]> {
    const result = await this.guard(() => this.client.query({ name, text, values: [...values] }));
    return result.rows as R[];
  }

  /** As `query`, but the number of rows affected. */
  async execute(text: string, values?: readonly unknown[]): Promise<number> {
    return (await this.run(text, values)).rowCount ?? 0;
  }

  /** Exactly one row; anything else is an error. */
  async one<R = Row>(text: string, values?: readonly unknown[]): Promise<R> {
    const rows = await this.query<R>(text, values);
    const row = rows[0];
    if (row === undefined || rows.length > 1) {
      throw new KajaError('internal', `expected one row from ${this.location}, got ${rows.length}`);
    }
    return row;
  }

  /** First column of the first row; undefined without rows. */
  async value<T = unknown>(text: string, values?: readonly unknown[]): Promise<T | undefined> {
    const [row] = await this.query<Row>(text, values);
    return row === undefined ? undefined : (Object.values(row)[0] as T);
  }

  /** The driver's whole result, with errors mapped. */
  async run(text: string, values?: readonly unknown[]): Promise<pg.QueryResult> {
    return this.guard(() => this.#send(text, values));
  }

  /**
   * Do something with the client under the session's rules: refused after abort or loss, cancelled by abort, errors mapped.
   * @param work uses `client`; COPY streams do
   */
  async guard<T>(work: () => Promise<T>): Promise<T> {
    this.#throwIfUnusable();
    this.#running++;
    try {
      await this.#cancelling;
      return await work();
    } catch (error) {
      if (this.#signal?.aborted) throw this.#aborted();
      throw toKajaError(error, this.location, this.facts.user);
    } finally {
      this.#running--;
    }
  }

  /**
   * Run `fn` in a transaction; commit when it resolves, roll back when it throws. Not to be nested.
   * @throws what `fn` threw; sql-failed when the server turned the commit into a rollback
   */
  async transaction<T>(fn: (session: Session) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    if (this.#inTransaction) throw new KajaError('internal', `nested transaction on ${this.location}`);
    const isolation = options.isolation ? ` isolation level ${options.isolation}` : '';
    const access = options.readOnly === undefined ? '' : options.readOnly ? ' read only' : ' read write';
    await this.run(`begin${isolation}${access}`);
    this.#inTransaction = true;
    try {
      const result = await fn(this);
      const { command } = await this.run('commit');
      if (command === 'ROLLBACK') {
        throw new KajaError(
          'sql-failed',
          `transaction on ${this.location} was rolled back, a statement in it had failed`,
        );
      }
      return result;
    } catch (error) {
      await this.#rollback();
      throw error;
    } finally {
      this.#inTransaction = false;
    }
  }

  /**
   * Ask the server, from a second connection, to stop the running statement. Later statements wait until it was asked, so only
   * the running one is hit.
   * @returns whether the request was delivered; the statement may also have ended by itself
   */
  async cancel(): Promise<boolean> {
    if (this.closed) return false;
    this.#cancelling ??= this.#sendCancel().finally(() => {
      this.#cancelling = undefined;
    });
    return this.#cancelling;
  }

  /** Say goodbye and close; never throws. A statement that still runs loses its connection after a short wait. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#signal?.removeEventListener('abort', this.#onAbort);
    const timer = setTimeout(() => destroySocket(this.client), CLOSE_GRACE_MS);
    await this.client.end().catch(() => {});
    clearTimeout(timer);
  }

  /** Drop the connection at once, for a session whose state is unknown. */
  destroy(reason: unknown): void {
    this.#lost ??= reason;
    this.#signal?.removeEventListener('abort', this.#onAbort);
    destroySocket(this.client);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #sendCancel(): Promise<boolean> {
    let second: Connected | undefined;
    let giveUp: NodeJS.Timeout | undefined;
    try {
      second = await connect({
        configs: [this.#config],
        location: this.location,
        applicationName: 'kaja cancel',
        limits: { statementTimeoutMs: CANCEL_GRACE_MS },
        signal: AbortSignal.timeout(CANCEL_GRACE_MS),
      });
      const { client } = second;
      giveUp = setTimeout(() => destroySocket(client), CANCEL_GRACE_MS);
      const { rows } = await client.query('select pg_catalog.pg_cancel_backend($1::int4) as sent', [
        this.facts.backendPid,
      ]);
      return rows[0]?.sent === true;
    } catch {
      return false;
    } finally {
      clearTimeout(giveUp);
      // Nobody waits for the goodbye of a connection that only carried the request.
      void second?.client.end().catch(() => {});
    }
  }

  async #send(text: string, values?: readonly unknown[]): Promise<pg.QueryResult> {
    const result: pg.QueryResult | pg.QueryResult[] = await this.client.query(
      text,
      values ? [...values] : undefined,
    );
    return Array.isArray(result) ? (result.at(-1) as pg.QueryResult) : result;
  }

  async #rollback(): Promise<void> {
    if (this.closed) return;
    try {
      await this.#cancelling;
      await this.#send('rollback');
    } catch (error) {
      this.destroy(error);
    }
  }

  #throwIfUnusable(): void {
    if (this.#signal?.aborted) throw this.#aborted();
    if (this.#closed) throw new KajaError('internal', `session on ${this.location} is closed`);
    if (this.#lost !== undefined) {
      const text = this.#lost instanceof Error ? this.#lost.message : String(this.#lost);
      throw new KajaError('connection-lost', `connection to ${this.location} was lost: ${text}`, {
        cause: this.#lost,
      });
    }
  }

  #aborted(): KajaError {
    return new KajaError('aborted', `stopped on request (${this.location})`, { cause: this.#signal?.reason });
  }

  #stopRunning(): void {
    if (this.#running === 0) return;
    const giveUp = setTimeout(() => {
      if (this.#running > 0) this.destroy(this.#signal?.reason);
    }, CANCEL_GRACE_MS);
    giveUp.unref();
    void this.cancel().then((sent) => {
      if (!sent && this.#running > 0) this.destroy(this.#signal?.reason);
    });
  }
}

/**
 * Open a session.
 * @param location connection string (keyword form or URI), or node-postgres configurations to try in order
 * @param options purpose, time limits in milliseconds (0 or absent: none), name, stop signal
 * @throws KajaError connect-failed, auth-failed, database-missing, ssl-failed, aborted; ConfigError for an unreadable location
 */
export async function openSession(
  location: string | readonly pg.ClientConfig[],
  options: SessionOptions,
): Promise<Session> {
  const spec = typeof location === 'string' ? parseConnectionString(location, process.env) : undefined;
  const warnings: string[] = [];
  const configs = spec
    ? toClientConfigs(spec, (text) => warnings.push(text))
    : (location as readonly pg.ClientConfig[]);
  const place = spec ? describeLocation(spec) : describeConfigs(configs);
  const connected = await connect({
    configs,
    location: place,
    applicationName: options.applicationName ?? `kaja ${options.purpose}`,
    limits: options,
    targetSessionAttrs: spec?.targetSessionAttrs,
    signal: options.signal,
  }).catch((error: unknown) => {
    // A password file that was passed over explains why there was no password.
    if (!(error instanceof KajaError) || error.code !== 'auth-failed' || !warnings[0]) throw error;
    throw new KajaError('auth-failed', error.message, { cause: error, hint: warnings[0] });
  });
  return new Session(connected, place, options);
}

function describeConfigs(configs: readonly pg.ClientConfig[]): string {
  const [first] = configs;
  if (first?.connectionString !== undefined) return describeLocation(first.connectionString);
  return `${first?.database ?? '?'} at ${first?.host ?? 'localhost'}:${first?.port ?? 5432} as ${first?.user ?? '?'}`;
}
