/** The part of a node's configuration that its worker uses. */
import type { LondisteConfig } from '../config/load-config.ts';

/** See the ini keys of the same names. */
export interface WorkerSettings {
  readonly location: string;
  readonly queue: string;
  readonly consumer: string;
  readonly remoteExtra: string;
  readonly loopDelayMs: number;
  readonly exceptionSleepMs: number;
  readonly connectionLifetimeMs: number;
  readonly batchMaxEvents: number;
  readonly keepLagMs: number;
  readonly collectEvents: number;
  readonly collectIntervalMs: number;
  readonly applyRole: 'auto' | 'replica' | 'marker';
  readonly parallelCopies: number;
  readonly copyJobs: number;
  readonly localWatermarkMs: number;
  readonly globalWatermarkMs: number;
  readonly keepaliveStatsMs: number;
  readonly lockTimeoutMs: number;
  readonly registerOnlyTables: readonly string[];
  readonly registerSkipTables: readonly string[];
  readonly registerOnlySeqs: readonly string[];
  readonly registerSkipSeqs: readonly string[];
}

/** Take the settings out of an ini's values. */
export function workerSettings(config: LondisteConfig): WorkerSettings {
  return {
    location: config.db,
    queue: config.queueName,
    consumer: config.consumerName,
    remoteExtra: config.remoteExtraConnstr,
    loopDelayMs: config.loopDelayMs,
    exceptionSleepMs: config.exceptionSleepMs,
    connectionLifetimeMs: config.connectionLifetimeMs,
    batchMaxEvents: config.batchMaxEvents,
    keepLagMs: config.pgqKeepLagMs,
    collectEvents: config.pgqBatchCollectEvents,
    collectIntervalMs: config.pgqBatchCollectIntervalMs,
    applyRole: config.applyRole,
    parallelCopies: config.parallelCopies,
    copyJobs: config.copyJobs,
    localWatermarkMs: config.localWmPublishPeriodMs,
    globalWatermarkMs: config.globalWmPublishPeriodMs,
    keepaliveStatsMs: config.keepaliveStatsMs,
    lockTimeoutMs: config.lockTimeoutMs,
    registerOnlyTables: config.registerOnlyTables,
    registerSkipTables: config.registerSkipTables,
    registerOnlySeqs: config.registerOnlySeqs,
    registerSkipSeqs: config.registerSkipSeqs,
  };
}
