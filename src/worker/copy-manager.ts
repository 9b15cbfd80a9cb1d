/** Starts copies of tables that wait for one, as many at a time as `parallel_copies` allows, and watches them. */
import { type CopyContext, copyConsumer, setTableState } from '../copy/copy-context.ts';
import { copyTable } from '../copy/copy-table.ts';
import type { Session } from '../db/session.ts';
import { errorLine } from '../errors/error-line.ts';
import { isAbort } from '../errors/retry-policy.ts';
import type { LocalTable } from '../replay/routes.ts';
import { failpoint } from '../runtime/failpoint.ts';

const FIRST_RETRY_MS = 2_000;
const LAST_RETRY_MS = 60_000;

interface Failure {
  readonly count: number;
  readonly retryAt: number;
}

/** Copies of one worker. They run beside its batches, in the same process. */
export class CopyManager {
  readonly #running = new Map<string, { done: Promise<void>; stop: AbortController }>();
  readonly #failures = new Map<string, Failure>();
  readonly #onDone: () => void;

  /** @param onDone called when a copy ended, so that the worker looks at its tables */
  constructor(onDone: () => void) {
    this.#onDone = onDone;
  }

  /**
   * Start what can be started. States other than null and ok of tables that no copy works on are left-overs of a crash: they go on.
   * @param session session on this node, outside a transaction
   */
  async startDue(
    session: Session,
    tables: readonly LocalTable[],
    context: CopyContext,
    parallel: number,
  ): Promise<void> {
    for (const [name, copy] of this.#running) {
      if (!tables.some((table) => table.tableName === name))
        copy.stop.abort(new Error(`table ${name} was removed`));
    }
    for (const table of tables) {
      if (this.#running.size >= parallel) return;
      const state = table.mergeState;
      if (
        this.#running.has(table.tableName) ||
        (state !== null && state !== 'in-copy' && state !== 'catching-up')
      )
        continue;
      if ((this.#failures.get(table.tableName)?.retryAt ?? 0) > Date.now()) continue;
      if (state === null) {
        await setTableState(session, context, table.tableName, 'in-copy');
        failpoint('copy-claimed');
      }
      this.#start({ ...table, mergeState: state ?? 'in-copy' }, context);
    }
  }

  /** Names of tables that are being copied now. */
  get running(): ReadonlySet<string> {
    return new Set(this.#running.keys());
  }

  /** Stop all copies and wait for them; their states stay as they are. */
  async stop(): Promise<void> {
    for (const copy of this.#running.values()) copy.stop.abort(new Error('worker stops'));
    await Promise.all([...this.#running.values()].map((copy) => copy.done));
  }

  #start(table: LocalTable, context: CopyContext): void {
    const name = table.tableName;
    const stop = new AbortController();
    const own = { ...context, signal: AbortSignal.any([context.signal, stop.signal]) };
    const done = copyTable(own, table)
      .then(() => {
        this.#failures.delete(name);
      })
      .catch(async (error: unknown) => {
        if (own.signal.aborted || isAbort(error)) return;
        const count = (this.#failures.get(name)?.count ?? 0) + 1;
        const waitMs = Math.min(FIRST_RETRY_MS * 2 ** (count - 1), LAST_RETRY_MS);
        this.#failures.set(name, { count, retryAt: Date.now() + waitMs });
        const text = errorLine(error);
        context.log.error(`copy of ${name} failed: ${text} (attempt ${count}, next in ${waitMs / 1000} s)`);
        await storeFailure(context, name, text);
      })
      .finally(() => {
        this.#running.delete(name);
        this.#onDone();
      });
    this.#running.set(name, { done, stop });
  }
}

/** Keep a copy's failure where `tables` and `status` show it. Never throws. */
async function storeFailure(context: CopyContext, table: string, text: string): Promise<void> {
  try {
    const session = await context.openHere(`copy ${table}`);
    await session
      .execute(
        `insert into kaja.table_copy (queue_name, table_name, last_error) values ($1, $2, $3)
         on conflict (queue_name, table_name) do update set last_error = excluded.last_error`,
        [context.queue, table, text],
      )
      .finally(() => session.close());
  } catch (error) {
    context.log.debug(`failure of ${table} could not be stored: ${errorLine(error)}`);
  }
}

/**
 * Unregister consumers of copies that are over or whose tables were removed: left alone they would stop rotation on the provider.
 * @param provider session on the provider
 */
export async function dropFinishedCopyConsumers(
  provider: Session,
  context: Pick<CopyContext, 'queue' | 'consumer' | 'log'>,
  tables: readonly LocalTable[],
): Promise<void> {
  const prefix = copyConsumer(context.consumer, '');
  const busy = new Set(
    tables
      .filter((table) => table.mergeState !== 'ok' && table.mergeState !== null)
      .map((table) => copyConsumer(context.consumer, table.tableName)),
  );
  const registered = await provider.query<{ name: string }>(
    'select consumer_name as name from pgq.get_consumer_info($1) where starts_with(consumer_name, $2)',
    [context.queue, prefix],
  );
  for (const { name } of registered) {
    if (busy.has(name)) continue;
    await provider.query('select pgq.unregister_consumer($1, $2)', [context.queue, name]);
    context.log.info(`Unregistering consumer ${name} from source queue`);
  }
}
