/** The library: `import { Queue, Consumer } from 'kaja'`. Everything exported here is public, see docs/library.md. */
export type { ErrorCode, RetryPolicy } from '../errors/codes.ts';
export { KajaError } from '../errors/kaja-error.ts';
export { Batch, ConsumedEvent } from './batch.ts';
export {
  type BatchHandler,
  Consumer,
  type EventHandler,
  type HandlerContext,
  type RunOptions,
} from './consumer.ts';
export type { ConsumerLog, ConsumerOptions } from './consumer-options.ts';
export type { DeadLetter, LetterSelection, WaitingEvent } from './dead-letters.ts';
export { json, type NewEvent, QueueEvent } from './event.ts';
export type { ExactlyOnce } from './exactly-once.ts';
export type { Connection, ConnectionConfig } from './link.ts';
export type { EventSource } from './produce.ts';
export { install, type ProduceOptions, Queue, type QueueOptions } from './queue.ts';
export type { ConsumerInfo, Position, QueueInfo, QueueSettings } from './queue-admin.ts';
export type { TailOptions } from './tail.ts';
export type { Target, TargetClient, TargetKysely, TargetPool } from './target.ts';
export type { KyselyTransaction, PgTransaction, Transaction } from './transaction.ts';
