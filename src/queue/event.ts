/** Events as programs see them: strings in and out, ids as bigint. */
import { KajaError } from '../errors/kaja-error.ts';

/** An event to be produced; what is left out is NULL. */
export interface NewEvent {
  readonly type?: string | null | undefined;
  readonly data?: string | null | undefined;
  readonly extra1?: string | null | undefined;
  readonly extra2?: string | null | undefined;
  readonly extra3?: string | null | undefined;
  readonly extra4?: string | null | undefined;
}

/** Fields of `NewEvent` in the order of the event table. */
export const EVENT_FIELDS = ['type', 'data', 'extra1', 'extra2', 'extra3', 'extra4'] as const;

/** An event row as the database returns it, int8 as bigint and times as ISO text in UTC. */
export interface EventRow {
  ev_id: bigint;
  ev_time: string;
  ev_txid: bigint;
  ev_retry: number | null;
  ev_type: string | null;
  ev_data: string | null;
  ev_extra1: string | null;
  ev_extra2: string | null;
  ev_extra3: string | null;
  ev_extra4: string | null;
}

/** The ten columns every reading function of PgQ returns. */
export const EVENT_COLUMNS =
  'ev_id, ev_time, ev_txid, ev_retry, ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3, ev_extra4';

/** A timestamptz of a session, which shows UTC, as Date; null stays null. */
export function toDate(text: string): Date;
export function toDate(text: string | null): Date | null;
export function toDate(text: string | null): Date | null {
  return text === null ? null : new Date(text.replace(' ', 'T').replace(/\+00$/, 'Z'));
}

/** An event of a queue. */
export class QueueEvent {
  readonly id: bigint;
  /** When the producing transaction began. */
  readonly time: Date;
  readonly txid: bigint;
  /** How often this consumer has had it before without success; 0 at the first delivery. */
  readonly retries: number;
  readonly type: string | null;
  readonly data: string | null;
  readonly extra1: string | null;
  readonly extra2: string | null;
  readonly extra3: string | null;
  readonly extra4: string | null;

  /** Made by the library. */
  constructor(row: EventRow) {
    this.id = row.ev_id;
    this.time = toDate(row.ev_time);
    this.txid = row.ev_txid;
    this.retries = row.ev_retry ?? 0;
    this.type = row.ev_type;
    this.data = row.ev_data;
    this.extra1 = row.ev_extra1;
    this.extra2 = row.ev_extra2;
    this.extra3 = row.ev_extra3;
    this.extra4 = row.ev_extra4;
  }

  /**
   * The data, parsed as JSON. The type argument is a promise of yours, nothing checks it.
   * @throws KajaError payload-invalid when the data is NULL or not JSON; the text itself is not in the message
   */
  json<T = unknown>(): T {
    if (this.data === null) throw new KajaError('payload-invalid', `event ${this.id} has no data`);
    try {
      return JSON.parse(this.data) as T;
    } catch {
      // The parser's own message quotes the data.
      throw new KajaError('payload-invalid', `data of event ${this.id} is not JSON`);
    }
  }
}

/**
 * A value as JSON text, for `data`.
 * @throws KajaError payload-invalid for what JSON cannot hold: undefined, functions, bigint, cycles
 */
export function json(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw new KajaError(
      'payload-invalid',
      `cannot be written as JSON: ${(error as Error).message.split('\n')[0]}`,
      {
        cause: error,
      },
    );
  }
  if (text === undefined)
    throw new KajaError('payload-invalid', `cannot be written as JSON: ${typeof value}`);
  return text;
}

/**
 * Check an event that a program wants to produce.
 * @returns its six fields in the order of `EVENT_FIELDS`
 * @throws KajaError payload-invalid naming the field
 */
export function fieldsOf(event: NewEvent): (string | null)[] {
  if (typeof event !== 'object' || event === null)
    throw new KajaError(
      'payload-invalid',
      `an event is an object with type and data, got ${event === null ? 'null' : typeof event}`,
    );
  const strange = Object.keys(event).find((key) => !EVENT_FIELDS.some((field) => field === key));
  if (strange !== undefined) {
    throw new KajaError('payload-invalid', `an event has no field "${strange}"`, {
      hint: `its fields are ${EVENT_FIELDS.join(', ')}`,
    });
  }
  return EVENT_FIELDS.map((field) => {
    const value = event[field];
    if (value === undefined || value === null) return null;
    if (typeof value !== 'string') {
      throw new KajaError('payload-invalid', `${field} of an event must be a string, got ${typeof value}`, {
        hint: field === 'data' ? 'use json(value)' : undefined,
      });
    }
    if (value.includes('\0'))
      throw new KajaError(
        'payload-invalid',
        `${field} of an event holds a NUL character, which PostgreSQL cannot store`,
      );
    return value;
  });
}
