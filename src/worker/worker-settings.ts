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

/** Is a table or sequence to be registered at all? The register_only_* and register_skip_* lists decide. */
export const isRegistered = (name: string, only: readonly string[], skip: readonly string[]): boolean =>
  (only.length === 0 || only.includes(name)) && !skip.includes(name);

/** Connection string of another node: its public location with `remote_extra_connstr` added. */
export function remoteLocation(location: string, extra: string): string {
  if (extra.trim() === '') return location;
  if (!/^postgres(ql)?:\/\//.test(location)) return `${location} ${extra}`;
  const pairs = [...extra.matchAll(/(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|(\S+))/g)];
  const query = pairs
    .map(
      ([, key, quoted, plain]) =>
        `${key}=${encodeURIComponent((quoted ?? plain ?? '').replace(/\\(.)/g, '$1'))}`,
    )
    .join('&');
  return `${location}${location.includes('?') ? '&' : '?'}${query}`;
}
