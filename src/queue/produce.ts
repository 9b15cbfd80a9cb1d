/** Writes events into a queue, one or many, over any executor. */
import { sqlstateOf } from '../db/sql-error.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { EVENT_FIELDS, fieldsOf, type NewEvent } from './event.ts';
import type { Executor } from './transaction.ts';

/** So many events go in one call; more are streamed by COPY, where the connection can. */
const ARRAY_EVENTS = 1_000;
/** Events that the server takes from the streamed ones at a time. */
const COPY_SLICE = 5_000;
const CHUNK_CHARS = 64 * 1024;

type Fields = readonly (string | null)[];

/** What `insertMany` reads from. */
export type EventSource = Iterable<NewEvent> | AsyncIterable<NewEvent>;

/**
 * Insert one event.
 * @returns its id
 */
export async function insertOne(on: Executor, queue: string, event: NewEvent): Promise<bigint> {
  const [row] = await on.query<{ id: bigint | string }>(
    'select pgq.insert_event($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text) as id',
    [queue, ...fieldsOf(event)],
  );
  // A program's own connection may have int8 as text.
  return BigInt(row?.id ?? 0);
}

/**
 * Insert many events in their order, all or none, inside an open transaction. After a failure the transaction can go on.
 * @returns how many
 * @throws KajaError payload-invalid for a source that cannot be iterated; transaction-invalid when no transaction is open; what the source threw
 */
export async function insertMany(on: Executor, queue: string, events: EventSource): Promise<number> {
  if (
    typeof events !== 'object' ||
    events === null ||
    !(Symbol.asyncIterator in events || Symbol.iterator in events)
  ) {
    throw new KajaError(
      'payload-invalid',
      `produceMany needs an array or another iterable of events, got ${events === null ? 'null' : typeof events}`,
    );
  }
  await openSavepoint(on);
  try {
    const count = await insertAll(on, queue, events);
    await on.query('release savepoint kaja_produce');
    return count;
  } catch (error) {
    await on.query('rollback to savepoint kaja_produce; release savepoint kaja_produce').catch(() => {});
    throw error;
  }
}

async function openSavepoint(on: Executor): Promise<void> {
  try {
    await on.query('savepoint kaja_produce');
  } catch (error) {
    // 25P01: there is no transaction. Without one, half of the events could stay.
    if (sqlstateOf(error) !== '25P01') throw error;
    throw new KajaError('transaction-invalid', 'option transaction: no transaction is open on this client', {
      hint: 'run begin first, or leave the option out',
      cause: error,
    });
  }
}

async function insertAll(on: Executor, queue: string, events: EventSource): Promise<number> {
  const source = slices(events);
  const first = await source.next();
  if (first.done) return 0;
  const second = await source.next();
  if (second.done) return insertArrays(on, queue, first.value);
  const rest = chain([first.value, second.value], source);
  if (on.copy && (await mayCopy(on))) return copyEvents(on, on.copy, queue, rest);
  let count = 0;
  for await (const slice of rest) count += await insertArrays(on, queue, slice);
  return count;
}

/** What the program's own iterable threw; `cause` is passed on as it is, it has nothing to do with the queue. */
export class SourceFailure extends Error {}

/** Checked events in portions of `ARRAY_EVENTS`. */
async function* slices(events: EventSource): AsyncGenerator<Fields[], undefined> {
  const iterator =
    Symbol.asyncIterator in events ? events[Symbol.asyncIterator]() : events[Symbol.iterator]();
  let over = false;
  const next = async (): Promise<Fields | undefined> => {
    try {
      const result = await iterator.next();
      over = result.done === true;
      return over ? undefined : fieldsOf(result.value);
    } catch (cause) {
      throw new SourceFailure('the source of the events failed', { cause });
    }
  };
  let slice: Fields[] = [];
  try {
    for (let fields = await next(); fields; fields = await next()) {
      slice.push(fields);
      if (slice.length < ARRAY_EVENTS) continue;
      yield slice;
      slice = [];
    }
    if (slice.length > 0) yield slice;
  } finally {
    if (!over) await iterator.return?.();
  }
  return undefined;
}

async function* chain<T>(first: readonly T[], rest: AsyncIterable<T>): AsyncGenerator<T> {
  yield* first;
  yield* rest;
}

async function insertArrays(on: Executor, queue: string, slice: readonly Fields[]): Promise<number> {
  const columns = EVENT_FIELDS.map((_, at) => {
    const column = slice.map((fields) => fields[at] ?? null);
    return column.every((value) => value === null) ? null : column;
  });
  // All fields NULL: the type array alone says how many events there are.
  columns[0] ??= slice.map(() => null);
  await on.query(
    'select kaja.insert_events($1::text, $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])',
    [queue, ...columns],
  );
  return slice.length;
}

const mayCopy = async (on: Executor): Promise<boolean> => {
  const [row] = await on.query<{ may: boolean }>(
    `select pg_catalog.has_database_privilege(pg_catalog.current_database(), 'temp') as may`,
  );
  return row?.may === true;
};

/* The rows go by COPY into a table of the session, and from there with the rights of insert_events into the queue. */
async function copyEvents(
  on: Executor,
  copy: NonNullable<Executor['copy']>,
  queue: string,
  source: AsyncIterable<Fields[]>,
): Promise<number> {
  const names = EVENT_FIELDS.join(', ');
  await on.query(
    `create temporary table kaja_events (n int8, ${EVENT_FIELDS.map((name) => `${name} text`).join(', ')}) on commit drop`,
  );
  let count = 0;
  async function* lines(): AsyncGenerator<string> {
    let text = '';
    for await (const slice of source) {
      for (const fields of slice) {
        text += `${count++}\t${fields.map(copyField).join('\t')}\n`;
        if (text.length < CHUNK_CHARS) continue;
        yield text;
        text = '';
      }
    }
    if (text) yield text;
  }
  await copy(`copy pg_temp.kaja_events (n, ${names}) from stdin`, lines());
  const arrays = EVENT_FIELDS.map((name) => `pg_catalog.array_agg(${name} order by n) as ${name}`).join(', ');
  await on.query(
    `select pg_catalog.sum(kaja.insert_events($1::text, ${names}))
       from (select ${arrays} from pg_temp.kaja_events group by n / ${COPY_SLICE} order by n / ${COPY_SLICE} offset 0) s`,
    [queue],
  );
  await on.query('drop table pg_temp.kaja_events');
  return count;
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** One field of COPY's text format. */
const copyField = (value: string | null): string =>
  value === null ? '\\N' : value.replace(/[\\\n\r\t]/g, (char) => ESCAPES[char] as string);
