/**
 * Events of a range on their way from the provider, in pieces. Reading goes on while a piece is applied and stops when enough
 * wait: memory holds few pieces, however big the range is.
 */
import { type BinaryRow, BinaryRowParser } from '../db/binary-copy.ts';
import { copyOut } from '../db/copy-stream.ts';
import type { Session } from '../db/session.ts';

/** Pieces end here. Small ones reuse the memory of those before; fresh memory costs a server more than the work in it. */
const PIECE_EVENTS = 2_000;
const PIECE_BYTES = 1_048_576;
/** Each table of a piece costs a statement: with many tables pieces are longer, up to so many times the bytes. */
const EVENTS_PER_TABLE = 20;
const LONG_PIECE = 4;
/** Rows beyond this size do not pass through memory. */
const MAX_ROW_BYTES = 16 * PIECE_BYTES;
/** Pieces that may wait. */
const MOST_WAITING = 2;

/** Something in the batch wants all of it staged; the transaction has to be rolled back. */
export class NeedsStagingSignal extends Error {}

/** A range that is being read. */
export interface EventStream {
  /**
   * The next piece, in the order of the events: rows of null, ev_type, ev_data, ev_extra1.
   * @returns undefined at the end
   * @throws NeedsStagingSignal when a row is too big; the provider's error
   */
  next(): Promise<readonly BinaryRow[] | undefined>;
  /** Stop reading, if need be; the session is free afterwards, or closed. Never throws. */
  close(): Promise<void>;
}

/**
 * Begin to read. The session is busy until the end or `close`.
 * @param eventSql SELECT that yields event columns, ordered by ev_id
 */
export function openEventStream(source: Session, eventSql: string): EventStream {
  const stop = new AbortController();
  const waiting: (readonly BinaryRow[])[] = [];
  let over = false;
  let failure: unknown;
  let tell: () => void = () => {};
  // Both sides wait for any change and look again.
  let changed = Promise.resolve();
  const change = (): void => {
    tell();
    changed = new Promise((resolve) => {
      tell = resolve;
    });
  };
  change();

  const offer = async (piece: readonly BinaryRow[]): Promise<void> => {
    waiting.push(piece);
    change();
    while (waiting.length >= MOST_WAITING && !stop.signal.aborted) await changed;
  };
  const parser = new BinaryRowParser([1, 3]);
  let rows: BinaryRow[] = [];
  let bytes = 0;
  // The parser gives equal names as one Buffer.
  let tables = new Set<unknown>();
  let tooBig: NeedsStagingSignal | undefined;
  const endPiece = async (): Promise<void> => {
    const piece = rows;
    rows = [];
    bytes = 0;
    tables = new Set();
    await offer(piece);
  };
  const reading = copyOut(
    source,
    `copy (select null, ev_type, ev_data, ev_extra1 from (${eventSql}) e) to stdout (format binary)`,
    async (data) => {
      bytes += data.length;
      for (const row of parser.push(data)) {
        rows.push(row);
        tables.add(row[3]);
        if (rows.length >= Math.max(PIECE_EVENTS, EVENTS_PER_TABLE * tables.size)) await endPiece();
      }
      if (parser.needed > MAX_ROW_BYTES) {
        tooBig = new NeedsStagingSignal();
        throw tooBig;
      }
      const enough = EVENTS_PER_TABLE * tables.size > PIECE_EVENTS ? LONG_PIECE * PIECE_BYTES : PIECE_BYTES;
      if (bytes >= enough && rows.length > 0) await endPiece();
    },
    { signal: stop.signal },
  )
    .then(() => (rows.length > 0 ? endPiece() : undefined))
    .catch((error: unknown) => {
      // Sessions turn what passes through them into errors for people.
      failure = tooBig ?? error;
    })
    .finally(() => {
      over = true;
      change();
    });

  return {
    next: async () => {
      for (;;) {
        const piece = waiting.shift();
        if (piece) {
          change();
          return piece;
        }
        if (failure !== undefined) throw failure;
        if (over) return undefined;
        await changed;
      }
    },
    close: async () => {
      stop.abort();
      change();
      await reading;
    },
  };
}
