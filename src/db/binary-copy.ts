/** Rows of a binary COPY as bytes, and bytes as array parameters: values pass through without being read. */
import type { Buffer as Bytes } from 'node:buffer';
import { copyOut } from './copy-stream.ts';
import type { Session } from './session.ts';

const SIGNATURE_BYTES = 19;
const TEXT_OID = 25;

/** One row: its fields in order, null for NULL. */
export type BinaryRow = readonly (Bytes | null)[];

/**
 * Read a small result through COPY. Everything is held in memory: only for results whose size the statement limits.
 * @param query SELECT whose rows are wanted
 */
export async function copyRows(session: Session, query: string): Promise<BinaryRow[]> {
  const rows: BinaryRow[] = [];
  const parser = new BinaryRowParser();
  await copyOut(session, `copy (${query}) to stdout (format binary)`, (chunk) => {
    rows.push(...parser.push(chunk));
  });
  return rows;
}

/** Values of a shared column that are remembered. */
const MOST_SHARED = 64;

/** Takes a binary COPY stream piece by piece. Fields are views of the pieces, or shared between rows. */
export class BinaryRowParser {
  readonly #shared: ReadonlyMap<number, Bytes[]>;
  #pieces: Bytes[] = [];
  #bytes = 0;
  /** Nothing can be done before so many bytes are there. */
  #needed = SIGNATURE_BYTES;
  #started = false;

  /**
   * @param shared columns with few different values: equal ones of them are the same Buffer. Millions of small views cost a process
   *   more than all the rest of its work
   */
  constructor(shared: readonly number[] = []) {
    this.#shared = new Map(shared.map((column) => [column, []]));
  }

  /** Bytes the next row needs, as far as that is known. */
  get needed(): number {
    return this.#needed;
  }

  /** @returns rows that are complete now */
  push(piece: Bytes): BinaryRow[] {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#bytes < this.#needed) return [];
    const data = this.#pieces.length === 1 ? piece : Buffer.concat(this.#pieces);
    let at = 0;
    if (!this.#started) {
      // Behind the signature and flags comes an extension area of a given length.
      at = SIGNATURE_BYTES + data.readInt32BE(SIGNATURE_BYTES - 4);
      this.#started = true;
    }
    const rows: BinaryRow[] = [];
    for (;;) {
      const row = this.#row(data, at);
      if (!row) break;
      rows.push(row.fields);
      at = row.end;
    }
    this.#needed -= at;
    const rest = data.subarray(at);
    this.#pieces = rest.length > 0 ? [rest] : [];
    this.#bytes = rest.length;
    return rows;
  }

  /** The row at an offset; undefined when it is not all there, which sets what is needed, or when this is the end. */
  #row(data: Bytes, start: number): { fields: BinaryRow; end: number } | undefined {
    const fields: (Bytes | null)[] = [];
    let at = start + 2;
    this.#needed = at;
    if (data.length < at) return undefined;
    const count = data.readInt16BE(start);
    if (count < 0) return undefined;
    for (let n = 0; n < count; n++) {
      this.#needed = at + 4;
      if (data.length < this.#needed) return undefined;
      const length = data.readInt32BE(at);
      at += 4;
      this.#needed = at + Math.max(length, 0);
      if (data.length < this.#needed) return undefined;
      fields.push(length < 0 ? null : this.#field(n, data, at, this.#needed));
      at = this.#needed;
    }
    return { fields, end: at };
  }

  #field(column: number, data: Bytes, start: number, end: number): Bytes {
    const values = this.#shared.get(column);
    if (!values) return data.subarray(start, end);
    for (const value of values) if (isAt(value, data, start, end)) return value;
    const value = Buffer.from(data.subarray(start, end));
    if (values.length < MOST_SHARED) values.push(value);
    return value;
  }
}

/** As comparing views, which are not made for it. */
function isAt(value: Bytes, data: Bytes, start: number, end: number): boolean {
  if (value.length !== end - start) return false;
  // What differs mostly differs at the end.
  for (let n = value.length - 1; n >= 0; n--) if (value[n] !== data[start + n]) return false;
  return true;
}

/** A text[] parameter in the server's binary form. */
export function textArray(elements: readonly (Bytes | null)[]): Bytes {
  const empty = elements.length === 0;
  const size = elements.reduce((sum, one) => sum + 4 + (one?.length ?? 0), empty ? 12 : 20);
  const array = Buffer.allocUnsafe(size);
  let at = array.writeInt32BE(empty ? 0 : 1, 0);
  at = array.writeInt32BE(elements.includes(null) ? 1 : 0, at);
  at = array.writeInt32BE(TEXT_OID, at);
  if (!empty) {
    at = array.writeInt32BE(elements.length, at);
    at = array.writeInt32BE(1, at);
  }
  for (const element of elements) {
    at = array.writeInt32BE(element?.length ?? -1, at);
    if (element) at += element.copy(array, at);
  }
  return array;
}
