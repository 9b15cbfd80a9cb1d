/** Applies a consumer's batches to a database of the program's, each exactly once, with the position stored there (schema pgq_ext). */
import { toKajaError } from '../db/sql-error.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { failpoint } from '../runtime/failpoint.ts';
import type { Batch, ConsumedEvent } from './batch.ts';
import { type OptionRule, oneOf, RULES } from './check-options.ts';
import { type ConsumerSettings, reasonOf } from './consumer-options.ts';
import { type Target, type TargetClient, type Transactor, transactorOf, WorkFailure } from './target.ts';
import type { Executor } from './transaction.ts';

/** Work that is done exactly once. Give either `event` or `batch`. */
export interface ExactlyOnce<C = TargetClient> {
  /** The database to write to; it needs kaja's schemas (`kaja install`). The handler writes with the transaction it is given, and only that counts. */
  readonly into: Target<C>;
  /** One transaction per event. When it throws, the event is rolled back and comes again later; after the last attempt it becomes a dead letter. */
  readonly event?:
    | ((event: ConsumedEvent, transaction: C, context: { readonly signal: AbortSignal }) => unknown)
    | undefined;
  /** One transaction per batch: faster. When it throws, the whole batch is rolled back and comes again after a growing pause. */
  readonly batch?:
    | ((batch: Batch, transaction: C, context: { readonly signal: AbortSignal }) => unknown)
    | undefined;
  /**
   * What is stored with `batch`: the last batch (default), or the tick reached. By tick a consumer that was moved, or a database
   * that was restored, is noticed and refused.
   */
  readonly position?: 'batch' | 'tick' | undefined;
  /** Name under which the position is stored. Default `<queue>/<consumer>`; give another when two source databases have such names in common. */
  readonly positionName?: string | undefined;
}

/** Rules for `checkOptions`. */
export const exactlyOnceRules: Readonly<Record<keyof ExactlyOnce, OptionRule>> = {
  into: {
    what: 'a connection string, connection settings, a pool of pg or a Kysely instance',
    fits: (value) =>
      typeof value === 'string' ? value.trim() !== '' : typeof value === 'object' && value !== null,
  },
  event: RULES.work,
  batch: RULES.work,
  position: oneOf('batch', 'tick'),
  positionName: RULES.name,
};

/** Applies batches; close it at the end. */
export interface OpenTarget extends AsyncDisposable {
  /**
   * Apply a batch, or what is left of it; a batch that was applied before is left alone.
   * @throws KajaError connection-lost and others of the target; lost-position; what the batch handler threw
   */
  apply(batch: Batch, context: { readonly signal: AbortSignal }): Promise<void>;
}

/**
 * Prepare the work.
 * @throws KajaError option-invalid
 */
export function openTarget<C>(work: ExactlyOnce<C>, settings: ConsumerSettings): OpenTarget {
  if ((work.event === undefined) === (work.batch === undefined))
    throw new KajaError('option-invalid', 'runExactlyOnce needs one of event and batch');
  if (work.event && work.position)
    throw new KajaError(
      'option-invalid',
      'option position of runExactlyOnce goes with batch, not with event',
    );
  const transactor = transactorOf(work.into);
  const name = work.positionName ?? `${settings.queue}/${settings.name}`;
  return {
    apply: work.event
      ? (batch, context) =>
          applyEvents(transactor, name, batch, work.event as EventWork<C>, settings, context)
      : (batch, context) => applyBatch(transactor, name, batch, work, context),
    [Symbol.asyncDispose]: () => transactor.close(),
  };
}

type Context = { readonly signal: AbortSignal };
type EventWork<C> = NonNullable<ExactlyOnce<C>['event']>;

async function applyBatch<C>(
  transactor: Transactor<C>,
  name: string,
  batch: Batch,
  work: ExactlyOnce<C>,
  context: Context,
): Promise<void> {
  try {
    await transactor.run(async (transaction, on) => {
      const claim = work.position === 'tick' ? claimTick : claimBatch;
      if (await claim(on, name, batch)) await work.batch?.(batch, transaction, context);
    });
  } catch (error) {
    throw causeOf(error);
  }
  failpoint('target-committed');
}

/** Store the batch; false: it was applied before. A second process waits here for the first. */
async function claimBatch(on: Executor, name: string, batch: Batch): Promise<boolean> {
  return first<boolean>(on, 'select pgq_ext.set_batch_done($1::text, $2::text, $3::int8)', [
    name,
    '',
    String(batch.id),
  ]);
}

async function claimTick(on: Executor, name: string, batch: Batch): Promise<boolean> {
  await first(on, 'select pg_catalog.pg_advisory_xact_lock(1801546338, pg_catalog.hashtext($1::text))', [
    name,
  ]);
  // As text: a program's own connection may have int8 as number.
  const stored = await first<string | null>(on, 'select pgq_ext.get_last_tick($1::text, $2::text)::text', [
    name,
    '',
  ]);
  if (stored !== null && BigInt(stored) === batch.tick) return false;
  if (stored !== null && BigInt(stored) !== batch.previousTick) {
    throw new KajaError(
      'lost-position',
      `batch of ticks ${batch.previousTick} to ${batch.tick} does not follow tick ${stored}, which is stored as ${name}`,
      {
        hint: `if the consumer was moved on purpose: select pgq_ext.set_last_tick('${name}', ${batch.previousTick})`,
      },
    );
  }
  await first(on, 'select pgq_ext.set_last_tick($1::text, $2::text, $3::int8)', [
    name,
    '',
    String(batch.tick),
  ]);
  return true;
}

async function applyEvents<C>(
  transactor: Transactor<C>,
  name: string,
  batch: Batch,
  handler: EventWork<C>,
  settings: ConsumerSettings,
  context: Context,
): Promise<void> {
  for await (const event of batch) {
    try {
      await transactor.run(async (transaction, on) => {
        const sql = 'select pgq_ext.set_event_done($1::text, $2::text, $3::int8, $4::int8)';
        let claimed: boolean;
        try {
          claimed = await first<boolean>(on, sql, [name, '', String(batch.id), String(event.id)]);
        } catch (cause) {
          throw new ClaimFailure('', { cause });
        }
        if (claimed) await handler(event, transaction, context);
      });
    } catch (error) {
      // Only what the handler or its data is to blame for counts as a try of the event.
      if (!(error instanceof WorkFailure) || error.cause instanceof ClaimFailure) throw causeOf(error);
      if (context.signal.aborted)
        throw new KajaError('aborted', `stopped in batch ${batch.id}, it comes again`);
      event.fail(error.cause);
      settings.log.warn(`event ${event.id} failed (delivery ${event.retries + 1}): ${reasonOf(error.cause)}`);
    }
  }
  failpoint('target-committed');
}

/** The position could not be stored: no fault of the event. */
class ClaimFailure extends Error {}

/** The failure itself, as an error of ours when the server or the driver made it. */
function causeOf(error: unknown): unknown {
  let at = error;
  while (at instanceof WorkFailure || at instanceof ClaimFailure) at = at.cause;
  return at instanceof Error && 'code' in at ? toKajaError(at, 'the target database') : at;
}

async function first<T>(on: Executor, sql: string, values: readonly unknown[]): Promise<T> {
  const [row] = await on.query<Record<string, unknown>>(sql, values);
  return Object.values(row ?? {})[0] as T;
}
