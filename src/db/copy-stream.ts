/** COPY between two servers, byte for byte, in constant memory. */
import type { Buffer } from 'node:buffer';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { KajaError } from '../errors/kaja-error.ts';
import type { Session } from './session.ts';
import { toKajaError } from './sql-error.ts';

const HIGH_WATER_BYTES = 256 * 1024;
/** How long a side may take to acknowledge that the copy is over before its connection is dropped. */
const SETTLE_MS = 15_000;
/** A target that does not react to the end of its input waits for something else, a lock for example: cancel it. */
const FAIL_MS = 250;

/** What a copy moved. */
export interface CopyResult {
  readonly rows: number;
  readonly bytes: number;
}

/** Options of `copyBetween`. */
export interface CopyRequest {
  readonly from: Session;
  /** `copy … to stdout`, any format. */
  readonly fromSql: string;
  readonly to: Session;
  /** `copy … from stdin`, same format. */
  readonly toSql: string;
  /** Told the bytes moved so far, once per chunk. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A running `copy … from stdin`. */
export interface CopyIn {
  /** Wait until the server can take more. Rejects with the server's error. */
  write(chunk: Buffer | string): Promise<void>;
  /** Finish; the number of rows the server took. */
  end(): Promise<number>;
  /** Give up; resolves when the session is usable again or closed. Never rejects. */
  fail(reason: string): Promise<void>;
}

/**
 * Stream a `copy … to stdout` of one session into a `copy … from stdin` of another.
 * After an error both sessions are usable again (their transactions are aborted) or closed.
 * @returns rows as the target counted them, and bytes
 * @throws KajaError of the side that failed first; aborted when the signal stopped it
 */
export async function copyBetween(request: CopyRequest): Promise<CopyResult> {
  const { from, to, onBytes, signal } = request;
  const sink = openCopyIn(to, request.toSql);
  let bytes = 0;
  try {
    await copyOut(
      from,
      request.fromSql,
      async (chunk) => {
        await sink.write(chunk);
        bytes += chunk.length;
        onBytes?.(bytes);
      },
      { signal },
    );
  } catch (error) {
    await sink.fail('the source of the copy failed');
    throw error;
  }
  return { rows: await sink.end(), bytes };
}

/**
 * Run a `copy … to stdout` and hand over its bytes; the next chunk is read when `take` has resolved.
 * @param take gets pieces of the stream, not lines; when it throws, the copy is cancelled and its error passed on
 * @returns bytes read
 */
export async function copyOut(
  session: Session,
  sql: string,
  take: (chunk: Buffer) => Promise<void> | void,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<number> {
  return session.guard(async () => {
    const { signal } = options;
    throwIfAborted(signal);
    const stream = session.client.query(copyTo(sql, { highWaterMark: HIGH_WATER_BYTES }));
    let ended = false;
    let failure: unknown;
    const settled = new Promise<void>((resolve) => {
      const finish = (error?: unknown): void => {
        ended = true;
        failure ??= error;
        resolve();
      };
      stream.once('end', () => finish());
      stream.on('error', finish);
    });
    const wake = abortPromise(signal);
    let bytes = 0;
    try {
      while (!ended) {
        const chunk: Buffer | null = stream.read();
        if (chunk === null) {
          await Promise.race([settled, readable(stream, settled), wake.promise]);
        } else {
          bytes += chunk.length;
          await Promise.race([take(chunk), wake.promise]);
        }
        throwIfAborted(signal);
      }
      if (failure !== undefined) throw failure;
      return bytes;
    } catch (error) {
      if (!ended) await drain(session, stream, settled);
      // Mapped here because the taker's error may belong to another session.
      throw error === failure ? toKajaError(error, session.location, session.facts.user) : error;
    } finally {
      wake.release();
    }
  });
}

/** Wait for data without leaving listeners behind when the copy ends first. */
async function readable(stream: NodeJS.ReadableStream, settled: Promise<void>): Promise<void> {
  const stop = new AbortController();
  void settled.then(() => stop.abort());
  await once(stream, 'readable', { signal: stop.signal }).catch(() => {});
}

/** Stop a COPY that nobody reads any more: cancel it and throw the rest away, else give the connection up. */
async function drain(session: Session, stream: NodeJS.ReadableStream, settled: Promise<void>): Promise<void> {
  stream.on('data', () => {});
  stream.resume();
  await withinGrace(session, Promise.all([settled, session.cancel()]));
}

async function withinGrace(session: Session, settled: Promise<unknown>): Promise<void> {
  if (!(await endsWithin(SETTLE_MS, settled))) session.destroy(new Error('COPY did not stop'));
}

async function endsWithin(ms: number, settled: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController();
  const late = sleep(ms, false, { signal: timer.signal }).catch(() => false);
  const inTime = await Promise.race([settled.then(() => true), late]);
  timer.abort();
  return inTime;
}

/**
 * Start a `copy … from stdin`. The session is busy until `end` or `fail` has resolved.
 * @throws nothing here; the first `write` or `end` rejects when the statement is refused
 */
export function openCopyIn(session: Session, sql: string): CopyIn {
  let failure: KajaError | undefined;
  let release: () => void = () => {};
  const settled = new Promise<void>((resolve) => {
    release = resolve;
  });
  let started: (stream: Writable & { rowCount: number }) => void = () => {};
  const starting = new Promise<Writable & { rowCount: number }>((resolve) => {
    started = resolve;
  });
  const opened = session.guard(async () => {
    const stream = session.client.query(copyFrom(sql, { highWaterMark: HIGH_WATER_BYTES }));
    stream.on('error', (error) => {
      failure ??= toKajaError(error, session.location, session.facts.user);
      release();
    });
    stream.once('finish', release);
    started(stream);
    await settled;
    if (failure) throw failure;
  });
  opened.catch((error: KajaError) => {
    failure = error;
    release();
  });
  const throwIfFailed = (): void => {
    if (failure) throw failure;
  };
  /** The stream, once the session's earlier statements are through; without one the copy has failed already. */
  const running = async (): Promise<Writable & { rowCount: number }> => {
    const stream = await Promise.race([starting, settled]);
    throwIfFailed();
    return stream ?? starting;
  };
  return {
    write: async (chunk) => {
      const stream = await running();
      // One chunk at a time: pg-copy-streams must not hold queued chunks when the server refuses one.
      await Promise.race([new Promise<void>((resolve) => stream.write(chunk, () => resolve())), settled]);
      throwIfFailed();
    },
    end: async () => {
      const stream = await running();
      stream.end();
      await opened;
      return stream.rowCount;
    },
    fail: async (reason) => {
      const stream = await running().catch(() => undefined);
      if (!stream) return;
      stream.destroy(new Error(reason));
      if (await endsWithin(FAIL_MS, settled)) return;
      await withinGrace(session, Promise.all([settled, session.cancel()]));
    },
  };
}

/**
 * Copy text that is already here into a table.
 * @param chunks pieces of the COPY stream; need not be whole lines
 * @returns rows the server took
 */
export async function copyIn(
  session: Session,
  sql: string,
  chunks: Iterable<Buffer | string> | AsyncIterable<Buffer | string>,
): Promise<number> {
  const sink = openCopyIn(session, sql);
  try {
    for await (const chunk of chunks) await sink.write(chunk);
  } catch (error) {
    await sink.fail('the source of the copy failed');
    throw error;
  }
  return sink.end();
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new KajaError('aborted', 'copy stopped on request', { cause: signal.reason });
}

/** A promise that resolves on abort, without a listener that outlives the copy. */
function abortPromise(signal: AbortSignal | undefined): { promise: Promise<void>; release: () => void } {
  let release = (): void => {};
  const promise = new Promise<void>((resolve) => {
    if (!signal) return;
    const listener = (): void => resolve();
    signal.addEventListener('abort', listener, { once: true });
    release = () => signal.removeEventListener('abort', listener);
  });
  return { promise, release };
}
