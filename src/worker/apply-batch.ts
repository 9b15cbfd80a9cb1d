/** Applies one batch to a leaf: rows, counters and position in one transaction. */
import { Pipeline, type Prepared, type TextRows } from '../db/pipeline.ts';
import type { Session } from '../db/session.ts';
import { sqlstateOf } from '../db/sql-error.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { replayChunks } from '../replay/chunked-replay.ts';
import { saveOutcomes } from '../replay/divergence.ts';
import { type EventStream, NeedsStagingSignal, openEventStream } from '../replay/event-stream.ts';
import { parseEventType } from '../replay/event-type.ts';
import type { PlanCache } from '../replay/plan-finder.ts';
import { type ControlEvent, eventCondition, replayEvents } from '../replay/replay-events.ts';
import type { TableRoute } from '../replay/row-plan.ts';
import { planSmallBatch } from '../replay/small-batch.ts';
import type { TableOutcome } from '../replay/table-outcome.ts';
import { failpoint } from '../runtime/failpoint.ts';
import type { Batch } from './open-batch.ts';

/** Tables changed while a batch was applied: it was rolled back and has to be applied again with the tables as they are now. */
export class TablesChangedSignal extends Error {}

/** What a batch is applied with. */
export interface BatchWork {
  readonly provider: Session;
  readonly queue: string;
  readonly consumer: string;
  readonly batch: Batch;
  /** The batch's events, if they were read ahead. */
  readonly ahead?: EventStream | undefined;
  readonly routes: ReadonlyMap<string, TableRoute>;
  /** Version of the tables that `routes` were read at. */
  readonly tableVersion: bigint | undefined;
  readonly plans: PlanCache;
  /** Carries out an event about the set, in the batch's transaction. */
  readonly control: (event: ControlEvent) => Promise<void>;
}

/** What was applied. */
export interface Applied {
  readonly tables: ReadonlyMap<string, TableOutcome>;
  readonly events: number;
  readonly how: 'at once' | 'in pieces' | 'staged' | 'in event order';
  /** There were events about the set: tables may have changed. */
  readonly setChanged: boolean;
}

/* Limits of a small batch's plans: see set-based-steps.ts. Plans are made once for all batches, not for each again. */
const SETTINGS: Prepared = {
  text: `select set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true)`,
  values: [],
};

/** Counters of more tables are stored by a statement of their own: it costs a round trip, but planning it with each table's rows costs more. */
const MAX_COUNTED_TOGETHER = 16;

const isQuiet = (eventType: string): boolean => {
  const type = parseEventType(eventType);
  return type.kind === 'control' && type.quiet;
};

/** Another way of writing may satisfy the constraint. */
const isConstraintViolation = (error: unknown): boolean => sqlstateOf(error)?.startsWith('23') ?? false;

/** Applies the batches of one session on the node. */
export class BatchApplier {
  readonly #target: Session;
  readonly #pipeline: Pipeline;

  constructor(target: Session) {
    this.#target = target;
    this.#pipeline = new Pipeline(target);
  }

  /**
   * Apply a batch and store its tick as the position.
   * @throws TablesChangedSignal when tables changed meanwhile; the server's error when its rows cannot be written here
   */
  async apply(work: BatchWork): Promise<Applied> {
    try {
      const applied =
        (await this.#inMemory(work)) ?? (await this.#inPieces(work)) ?? (await this.#staged(work));
      work.plans.committed();
      failpoint('batch-committed');
      return applied;
    } catch (error) {
      if (error instanceof TablesChangedSignal) work.plans.clear();
      throw error;
    } finally {
      await work.ahead?.close();
    }
  }

  /** @returns undefined when the batch needs the general way */
  async #inMemory(work: BatchWork): Promise<Applied | undefined> {
    const { batch, queue, routes, plans } = work;
    if (!batch.events) return undefined;
    const small = await planSmallBatch(batch.events, routes, (wanted) => plans.find(wanted));
    if (!small) return undefined;
    const together = small.tables <= MAX_COUNTED_TOGETHER;
    const statements = [SETTINGS, ...small.statements(together ? queue : null), completion(work)];
    try {
      return await this.#target.transaction(async () => {
        for (const event of small.control) await work.control(event);
        const results = await this.#pipeline.run(statements);
        failpoint('batch-applied');
        this.#checkCompletion(results.at(-1), work, false);
        const tables = small.outcomes(results.slice(1, -1));
        if (!together) await saveOutcomes(this.#target, queue, tables);
        return { tables, events: small.events, how: 'at once', setChanged: false } as const;
      });
    } catch (error) {
      if (isConstraintViolation(error)) return undefined;
      throw error;
    }
  }

  /** @returns undefined when the batch needs the general way */
  async #inPieces(work: BatchWork): Promise<Applied | undefined> {
    const { provider, queue, batch, routes, plans } = work;
    if (batch.events) return undefined;
    const events =
      work.ahead ?? openEventStream(provider, await this.#eventSql(work, 'kaja.event_range_sql'));
    try {
      return await this.#target.transaction(async () => {
        await this.#pipeline.run([SETTINGS]);
        const done = await replayChunks(events, this.#pipeline, routes, async (wanted) =>
          (await plans.findsHere(wanted)) ? plans.find(wanted) : undefined,
        );
        await saveOutcomes(this.#target, queue, done.tables);
        failpoint('batch-applied');
        for (const event of done.control) await work.control(event);
        const [completed] = await this.#pipeline.run([completion(work)]);
        this.#checkCompletion(completed, work, false);
        return { tables: done.tables, events: done.events, how: 'in pieces', setChanged: false } as const;
      });
    } catch (error) {
      plans.rolledBack();
      if (error instanceof NeedsStagingSignal || isConstraintViolation(error)) return undefined;
      throw error;
    } finally {
      await events.close();
    }
  }

  async #eventSql({ provider, queue, batch, routes }: BatchWork, fn: string): Promise<string> {
    const values = [queue, batch.previousTick, batch.tick, eventCondition(routes.keys(), true)];
    return (await provider.value<string>(`select ${fn}($1, $2, $3, null, $4)`, values)) as string;
  }

  async #staged(work: BatchWork): Promise<Applied> {
    const { provider, queue, routes, plans } = work;
    const eventSql = await this.#eventSql(work, 'kaja.event_union_sql');
    return this.#target.transaction(async () => {
      const replayed = await replayEvents(provider, this.#target, queue, eventSql, routes, plans);
      failpoint('batch-applied');
      for (const event of replayed.control) await work.control(event);
      const setChanged = replayed.control.some(({ type }) => !isQuiet(type));
      const [completed] = await this.#pipeline.run([completion(work)]);
      this.#checkCompletion(completed, work, setChanged);
      const how = replayed.inEventOrder ? 'in event order' : 'staged';
      return { tables: replayed.tables, events: replayed.events, how, setChanged } as const;
    });
  }

  #checkCompletion(rows: TextRows | undefined, work: BatchWork, setChanged: boolean): void {
    const [code, note, version] = rows?.[0] ?? [];
    if (Number(code) >= 300) throw new KajaError('ret-code', `${note} (${this.#target.location})`);
    if (!setChanged && BigInt(version ?? 0) !== work.tableVersion) throw new TablesChangedSignal();
  }
}

/** Stores the position and tells the version of the queue's tables, which cannot change any more before the transaction ends. */
const completion = ({ queue, consumer, batch }: BatchWork): Prepared => ({
  text: `with v as (select version from kaja.table_version where queue_name = $1::text for share)
     select c.ret_code, c.ret_note, coalesce((select version from v), 0)
       from pgq_node.set_consumer_completed($1::text, $2::text, $3::int8) c`,
  values: [queue, consumer, String(batch.tick)],
});
