/** Keeps a leaf in step with its provider: one pass takes one batch, or does what the tables wait for. */
import { remoteLocation } from '../config/remote-nodes.ts';
import type { CopyContext } from '../copy/copy-context.ts';
import { callRet } from '../db/ret-code.ts';
import { openSession, type Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import type { Log } from '../log/logger.ts';
import { openApplySession } from '../replay/apply-session.ts';
import { diverged } from '../replay/divergence.ts';
import { learnShapes, PlanCache } from '../replay/plan-finder.ts';
import { eventCondition } from '../replay/replay-events.ts';
import type { ApplyRole, LocalTable } from '../replay/routes.ts';
import { readLocalTables } from '../replay/routes.ts';
import type { TableRoute } from '../replay/row-plan.ts';
import { failpoint } from '../runtime/failpoint.ts';
import type { LoopAnswer } from '../runtime/loop.ts';
import type { Waker } from '../runtime/waker.ts';
import { BatchApplier, TablesChangedSignal } from './apply-batch.ts';
import { applyControlEvent } from './control-events.ts';
import { CopyManager, dropFinishedCopyConsumers } from './copy-manager.ts';
import { handOver, wannaSyncTick } from './hand-over.ts';
import { type NodeState, readNodeState } from './node-state.ts';
import { type Batch, followsPosition, isCustom, openBatch } from './open-batch.ts';
import { ReadAhead } from './read-ahead.ts';
import { restoreForeignKeys } from './restore-foreign-keys.ts';
import { storeError } from './store-error.ts';
import { TickListener } from './tick-listener.ts';
import type { WorkerSettings } from './worker-settings.ts';

/** While a compare holds the worker it looks this often whether it may go on. */
const HOLD_POLL_MS = 20;

/** When no tick comes, the provider hears of a finished batch after this time. */
const FINISH_WITHIN_MS = 100;

/** Tables whose events the worker applies, by logical name. */
interface Wanted {
  readonly routes: ReadonlyMap<string, TableRoute>;
  /** SQL over event columns: theirs, and news about the set. */
  readonly condition: string;
}

/** Sessions and caches live from the first pass to the first failure; `reset` throws them away. */
export class LeafWorker {
  readonly #settings: WorkerSettings;
  readonly #log: Log;
  readonly #signal: AbortSignal;
  readonly #waker: Waker;
  readonly #listener: TickListener;
  readonly #copies: CopyManager;
  #target: Session | undefined;
  #role: ApplyRole = 'replica';
  #provider: { session: Session; location: string; node: string } | undefined;
  #plans: PlanCache | undefined;
  #applier: BatchApplier | undefined;
  #ahead: ReadAhead | undefined;
  #tables: LocalTable[] = [];
  #routes: { tables: LocalTable[]; wanted: Wanted } | undefined;
  #tableVersion: bigint | undefined;
  #openedAt = 0;
  #watermarkAt = 0;
  #finishBatch: bigint | null = null;
  #elected = false;

  /** @param signal aborts what is in hand; the loop that calls `runOnce` has its own, gentler one */
  constructor(settings: WorkerSettings, log: Log, signal: AbortSignal, waker: Waker) {
    this.#settings = settings;
    this.#log = log;
    this.#signal = signal;
    this.#waker = waker;
    this.#listener = new TickListener(settings.queue, waker, log);
    this.#copies = new CopyManager(() => {
      this.#tableVersion = undefined;
      waker.wake();
    });
  }

  /** One pass: at most one batch. */
  async runOnce(): Promise<LoopAnswer> {
    const target = await this.#openTarget();
    if (!(await this.#elect(target))) return { waitMs: Math.max(1000, this.#settings.loopDelayMs) };
    const state = await readNodeState(target, this.#settings.queue, this.#settings.consumer);
    await this.#acknowledge(target, state);
    if (state.paused) {
      await this.#ahead?.giveUp();
      return 'idle';
    }
    const provider = await this.#openProvider(state);
    if (state.tableVersion !== this.#tableVersion) await this.#loadTables(target, state, provider);
    const context = this.#copyContext(state);
    await this.#copies.startDue(target, this.#tables, context, this.#settings.parallelCopies);
    if (
      await handOver({
        target,
        provider,
        queue: this.#settings.queue,
        consumer: this.#settings.consumer,
        position: state.completedTick,
        tables: this.#tables,
        plans: this.#planCache(target),
        log: this.#log,
      })
    ) {
      this.#tableVersion = undefined;
      return 'more';
    }
    if (state.holdTick !== null && state.holdTick <= state.completedTick) {
      await target.execute(
        'update kaja.hold set reached_at = coalesce(reached_at, clock_timestamp()) where queue_name = $1 and tick_id <= $2',
        [this.#settings.queue, state.completedTick],
      );
      await this.#ahead?.giveUp();
      return { waitMs: HOLD_POLL_MS };
    }
    return this.#takeBatch(target, provider, state);
  }

  /** Forget sessions and caches after a failure; store it where status shows it. Never throws. */
  async reset(error: unknown): Promise<void> {
    await this.close(false);
    await storeError(this.#settings, error, this.#log);
  }

  /** Close everything. @param copies also stop the copies */
  async close(copies = true): Promise<void> {
    if (copies) await this.#copies.stop();
    const sessions = [this.#target, this.#provider?.session];
    await this.#stopAhead();
    this.#target = undefined;
    this.#provider = undefined;
    this.#plans = undefined;
    this.#applier = undefined;
    this.#tableVersion = undefined;
    this.#finishBatch = null;
    this.#elected = false;
    await Promise.all([this.#listener.close(), ...sessions.map((session) => session?.close())]);
  }

  async #openTarget(): Promise<Session> {
    const { location, consumer, applyRole, connectionLifetimeMs } = this.#settings;
    if (connectionLifetimeMs > 0 && this.#target && Date.now() - this.#openedAt > connectionLifetimeMs)
      await this.close(false);
    if (this.#target?.closed) await this.close(false);
    if (!this.#target) {
      const { session, role } = await openApplySession(location, `kaja ${consumer}`, applyRole, this.#signal);
      if (role === 'marker')
        this.#log.debug(
          'session_replication_role may not be set: triggers and foreign keys of this node fire on replicated changes',
        );
      // A table that is added, removed or resynced is taken up at once. Without notifications the next poll sees it.
      session.client.on('notification', (message) => {
        if (message.payload === this.#settings.queue) this.#waker.wake();
      });
      await session.query('listen kaja_tables');
      this.#target = session;
      this.#role = role;
      this.#openedAt = Date.now();
    }
    return this.#target;
  }

  /** One worker per consumer: others wait until this session ends. */
  async #elect(target: Session): Promise<boolean> {
    if (this.#elected) return true;
    const key = `kaja worker ${this.#settings.queue} ${this.#settings.consumer}`;
    this.#elected =
      (await target.value<boolean>('select pg_try_advisory_lock(hashtextextended($1, 0))', [key])) ?? false;
    if (!this.#elected) this.#log.info('another worker of this node is running, waiting');
    return this.#elected;
  }

  async #acknowledge(target: Session, state: NodeState): Promise<void> {
    const { queue, consumer } = this.#settings;
    if (!state.uptodate)
      await callRet(target, 'pgq_node.set_consumer_uptodate', [queue, consumer, true], this.#log);
    if (state.error !== null && this.#tableVersion !== undefined)
      await callRet(target, 'pgq_node.set_consumer_error', [queue, consumer, null]);
  }

  async #openProvider(state: NodeState): Promise<Session> {
    const location = remoteLocation(state.providerLocation, this.#settings.remoteExtra);
    if (this.#provider && (this.#provider.location !== location || this.#provider.session.closed)) {
      await this.#stopAhead();
      await this.#provider.session.close();
      this.#provider = undefined;
      this.#finishBatch = null;
    }
    if (!this.#provider) {
      const open = (what = ''): Promise<Session> =>
        openSession(location, {
          purpose: 'read',
          applicationName: `kaja ${this.#settings.consumer}${what}`,
          readsBatches: true,
          signal: this.#signal,
        });
      const session = await open();
      this.#provider = { session, location, node: state.providerNode };
      const { queue, batchMaxEvents } = this.#settings;
      this.#ahead = new ReadAhead(() => open(' ahead'), queue, batchMaxEvents, this.#log);
      // The one batch the provider may still have open for us is compared with our position when it comes again.
    }
    await this.#listener.follow(location);
    return this.#provider.session;
  }

  async #stopAhead(): Promise<void> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    await ahead?.close();
  }

  #planCache(target: Session): PlanCache {
    this.#plans ??= new PlanCache(target, () => this.#provider?.session as Session, this.#settings.queue);
    return this.#plans;
  }

  async #loadTables(target: Session, state: NodeState, provider: Session): Promise<void> {
    // The row must be there to be locked, also before the first table is added.
    await target.execute(
      'insert into kaja.table_version (queue_name, version) values ($1, 0) on conflict do nothing',
      [this.#settings.queue],
    );
    this.#tables = await readLocalTables(target, this.#settings.queue, this.#role);
    this.#plans?.clear();
    await learnShapes(provider, target);
    await dropFinishedCopyConsumers(provider, this.#copyContext(state), this.#tables);
    if (this.#tables.every((table) => table.mergeState === 'ok' || table.mergeState === null)) {
      const session = await this.#openHere('foreign keys');
      const restored = await restoreForeignKeys(
        session,
        this.#settings.queue,
        this.#settings.lockTimeoutMs,
        this.#log,
      ).finally(() => session.close());
      // They decide in which order rows of a batch are written.
      if (restored) this.#tables = await readLocalTables(target, this.#settings.queue, this.#role);
    }
    this.#tableVersion = state.tableVersion;
  }

  #openHere(name: string): Promise<Session> {
    return openSession(this.#settings.location, {
      purpose: 'admin',
      applicationName: `kaja ${this.#settings.consumer} ${name}`,
      signal: this.#signal,
    });
  }

  #copyContext(state: NodeState): CopyContext {
    const { queue, consumer, location, applyRole, copyJobs, batchMaxEvents } = this.#settings;
    const providerLocation = remoteLocation(state.providerLocation, this.#settings.remoteExtra);
    return {
      queue,
      consumer,
      providerLocation,
      providerNode: state.providerNode,
      jobs: copyJobs,
      batchMaxEvents,
      log: this.#log,
      signal: this.#signal,
      openWriter: async (name) => {
        const { session } = await openApplySession(
          location,
          `kaja ${consumer} ${name}`,
          applyRole,
          this.#signal,
        );
        return session;
      },
      openHere: (name) => this.#openHere(name),
      openProvider: (name) =>
        openSession(providerLocation, {
          purpose: 'read',
          applicationName: `kaja ${consumer} ${name}`,
          readsBatches: true,
          signal: this.#signal,
        }),
    };
  }

  async #takeBatch(target: Session, provider: Session, state: NodeState): Promise<LoopAnswer> {
    await this.#reportWatermark(provider, state);
    const limits = this.#tables
      .flatMap((table) => wannaSyncTick(table) ?? [])
      .filter((tick) => tick > state.completedTick);
    if (state.holdTick !== null) limits.push(state.holdTick);
    const wanted = this.#wantedTables();
    // The batch shall be what is being read; the ticks alone would make it longer when new ones came since.
    const read = await this.#ahead?.endOf(state.completedTick);
    // A copy or a comparison waits for this node to stand at a tick.
    const awaited = limits.length > 0;
    const mayRead = !awaited && !isCustom(this.#settings);
    if (read !== undefined) limits.push(read);
    const maxTick = limits.sort((a, b) => (a < b ? -1 : 1))[0] ?? null;
    // The provider is told of the last batch only now: the position in this node's database is what counts.
    const finish = this.#finishBatch;
    const batch = await openBatch(provider, this.#settings, {
      finish,
      maxTick,
      tables: [...wanted.routes.keys()],
    });
    this.#finishBatch = null;
    if (finish !== null) failpoint('batch-finished');
    if (!batch) return 'idle';
    failpoint('batch-opened');
    if (followsPosition(batch, state.completedTick, this.#settings.queue)) {
      try {
        await this.#applyBatch(target, provider, batch, wanted, mayRead);
      } catch (error) {
        if (!(error instanceof TablesChangedSignal)) throw error;
        this.#tableVersion = undefined;
        return 'more';
      }
    }
    this.#finishBatch = batch.id;
    // Finishing alone costs the provider a commit: better with the next batch, which its tick announces.
    return batch.newest && this.#listener.listening && !awaited ? { waitMs: FINISH_WITHIN_MS } : 'more';
  }

  #wantedTables(): Wanted {
    if (this.#routes?.tables === this.#tables) return this.#routes.wanted;
    const routes = new Map<string, TableRoute>();
    for (const table of this.#tables) {
      if (table.mergeState !== 'ok' && table.mergeState !== '?') continue;
      if (!table.route)
        throw new KajaError('table-missing', `table ${table.destName} does not exist on this node any more`, {
          hint: `create it again, or remove-table ${table.tableName}`,
        });
      routes.set(table.tableName, table.route);
    }
    const wanted = { routes, condition: eventCondition(routes.keys(), true) };
    this.#routes = { tables: this.#tables, wanted };
    return wanted;
  }

  async #applyBatch(
    target: Session,
    provider: Session,
    batch: Batch,
    { routes, condition }: Wanted,
    mayReadAhead: boolean,
  ): Promise<void> {
    const { queue, consumer } = this.#settings;
    const started = Date.now();
    const ahead = await this.#ahead?.take({ ...batch, condition });
    if (mayReadAhead && !batch.newest) this.#ahead?.begin(batch.tick, condition);
    this.#applier ??= new BatchApplier(target);
    const applied = await this.#applier.apply({
      provider,
      queue,
      consumer,
      batch,
      ahead,
      routes,
      tableVersion: this.#tableVersion,
      plans: this.#planCache(target),
      control: (event) => applyControlEvent(target, event, this.#settings, this.#log),
    });
    if (applied.setChanged) this.#tableVersion = undefined;
    for (const [table, outcome] of applied.tables) {
      if (diverged(outcome)) {
        this.#log.warn(
          `table ${table} diverged: ${outcome.updateMissing} updates and ${outcome.deleteMissing} deletes found no row, ${outcome.insertFound} inserts found one (tick ${batch.tick})`,
        );
      }
    }
    if (applied.events > 0) {
      this.#log.debug(
        `{count: ${applied.events}, duration: ${((Date.now() - started) / 1000).toFixed(3)}, tick: ${batch.tick}, ${applied.how}${ahead && applied.how === 'in pieces' ? ', read ahead' : ''}}`,
      );
    }
  }

  /** Tell the provider how far everything below this node is, so that the set's queues can rotate. */
  async #reportWatermark(provider: Session, state: NodeState): Promise<void> {
    if (Date.now() - this.#watermarkAt < this.#settings.localWatermarkMs) return;
    this.#watermarkAt = Date.now();
    await callRet(provider, 'pgq_node.set_subscriber_watermark', [
      this.#settings.queue,
      state.nodeName,
      state.completedTick,
    ]);
    failpoint('watermark-sent');
  }
}
