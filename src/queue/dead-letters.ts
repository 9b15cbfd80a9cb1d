/** Events that wait for another delivery, and those that consumers gave up on. */
import type { Session } from '../db/session.ts';
import { toDate } from './event.ts';
import { call, readQueue } from './queue-admin.ts';

/** Payload of a stored event. */
interface StoredEvent {
  readonly consumer: string;
  readonly eventId: bigint;
  readonly eventTime: Date;
  readonly type: string | null;
  readonly data: string | null;
  readonly extra1: string | null;
  readonly extra2: string | null;
  readonly extra3: string | null;
  readonly extra4: string | null;
}

/** An event in the retry queue. */
export interface WaitingEvent extends StoredEvent {
  /** When it is due; the ticker's next retry round after that puts it back into the queue. */
  readonly retryAt: Date;
  /** Failed deliveries so far; 0 for one that was replayed. */
  readonly retries: number;
}

/** An event that a consumer gave up on. */
export interface DeadLetter extends StoredEvent {
  /** For `replay` and `deleteDeadLetters`. */
  readonly id: bigint;
  readonly queue: string;
  readonly diedAt: Date;
  /** Why: the last error's text, or what the program said. */
  readonly reason: string | null;
  /** How often it was delivered. */
  readonly deliveries: number;
}

/** Which dead letters. */
export interface LetterSelection {
  /** Only of this consumer. */
  readonly consumer?: string | undefined;
  /** Only these. */
  readonly ids?: readonly bigint[] | undefined;
}

const PAYLOAD = `ev_id as "eventId", ev_time as "eventTime", ev_type as type, ev_data as data,
  ev_extra1 as extra1, ev_extra2 as extra2, ev_extra3 as extra3, ev_extra4 as extra4`;

type Texts<T> = { [K in keyof T]: T[K] extends Date ? string : T[K] };

/** Events of a queue that wait for another delivery, the next due first. @throws KajaError queue-missing */
export async function readWaiting(
  session: Session,
  queue: string,
  consumer?: string | undefined,
): Promise<WaitingEvent[]> {
  await readQueue(session, queue);
  const rows = await session.query<Texts<WaitingEvent>>(
    `select consumer_name as consumer, retry_after as "retryAt", coalesce(ev_retry, 0) as retries, ${PAYLOAD}
       from kaja.get_retry_events($1, $2)`,
    [queue, consumer ?? null],
  );
  return rows.map((row) => ({ ...row, retryAt: toDate(row.retryAt), eventTime: toDate(row.eventTime) }));
}

/** Dead letters of a queue, the oldest first; also of a queue that does not exist any more. */
export async function readDeadLetters(
  session: Session,
  queue: string,
  selection: LetterSelection = {},
): Promise<DeadLetter[]> {
  const rows = await session.query<Texts<DeadLetter>>(
    `select dead_id as id, queue_name as queue, consumer_name as consumer, dead_time as "diedAt", reason,
            coalesce(ev_retry, 0) + 1 as deliveries, ${PAYLOAD}
       from kaja.dead_letter
      where queue_name = $1 and consumer_name = coalesce($2, consumer_name) and ($3::int8[] is null or dead_id = any ($3))
      order by dead_id`,
    [queue, selection.consumer ?? null, selection.ids ?? null],
  );
  return rows.map((row) => ({ ...row, diedAt: toDate(row.diedAt), eventTime: toDate(row.eventTime) }));
}

const chosen = (queue: string, { consumer, ids }: LetterSelection): unknown[] => [
  queue,
  consumer ?? null,
  ids ?? null,
];

/**
 * Give dead letters back to their consumers, who count their attempts anew.
 * @returns how many
 * @throws KajaError queue-missing, consumer-missing; nothing is replayed then
 */
export async function replayLetters(
  session: Session,
  queue: string,
  selection: LetterSelection = {},
): Promise<number> {
  const sql = 'select kaja.replay_dead_letters($1, $2, $3::int8[])';
  return (await call<number>(session, queue, sql, chosen(queue, selection))) ?? 0;
}

/** Delete dead letters for good. @returns how many */
export async function deleteLetters(
  session: Session,
  queue: string,
  selection: LetterSelection = {},
): Promise<number> {
  const sql = 'select kaja.delete_dead_letters($1, $2, $3::int8[])';
  return (await call<number>(session, queue, sql, chosen(queue, selection))) ?? 0;
}
