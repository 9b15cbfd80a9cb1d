/** What a root's worker does: publish the global watermark and the positions of sequences. Data flows without it. */
import { callRet } from '../db/ret-code.ts';
import { openSession, type Session } from '../db/session.ts';
import type { Log } from '../log/logger.ts';
import type { LoopAnswer } from '../runtime/loop.ts';
import { readNodeState } from './node-state.ts';
import { storeError } from './store-error.ts';
import type { WorkerSettings } from './worker-settings.ts';

/** Sequences and state are looked at this many loop delays apart, as in Londiste. */
const LOOP_FACTOR = 10;

/** See the file's comment. */
export class RootWorker {
  readonly #settings: WorkerSettings;
  readonly #log: Log;
  readonly #signal: AbortSignal;
  #session: Session | undefined;
  #watermarkAt = 0;
  #checkedAt = 0;

  constructor(settings: WorkerSettings, log: Log, signal: AbortSignal) {
    this.#settings = settings;
    this.#log = log;
    this.#signal = signal;
  }

  /** One pass. Answers pause requests at once, the rest when due. */
  async runOnce(): Promise<LoopAnswer> {
    const { queue, consumer, location, loopDelayMs, globalWatermarkMs } = this.#settings;
    if (this.#session?.closed) this.#session = undefined;
    this.#session ??= await openSession(location, {
      purpose: 'admin',
      applicationName: `kaja ${consumer}`,
      signal: this.#signal,
    });
    const session = this.#session;
    const state = await readNodeState(session, queue, consumer);
    if (!state.uptodate)
      await callRet(session, 'pgq_node.set_consumer_uptodate', [queue, consumer, true], this.#log);
    if (state.error !== null) await callRet(session, 'pgq_node.set_consumer_error', [queue, consumer, null]);
    if (state.paused) return 'idle';
    const now = Date.now();
    if (now - this.#watermarkAt >= globalWatermarkMs) {
      this.#watermarkAt = now;
      await callRet(session, 'pgq_node.set_global_watermark', [queue, null]);
    }
    if (now - this.#checkedAt >= LOOP_FACTOR * loopDelayMs) {
      this.#checkedAt = now;
      await callRet(session, 'londiste.root_check_seqs', [queue]);
      await session.query('select kaja.refresh_captures($1)', [queue]);
    }
    return 'idle';
  }

  /** Store a failure for status and start afresh. Never throws. */
  async reset(error: unknown): Promise<void> {
    await this.close();
    await storeError(this.#settings, error, this.#log);
  }

  async close(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.close();
  }
}
