/** The part of a node's configuration that commands about nodes use. */
import type { LondisteConfig } from '../config/load-config.ts';

/** See the ini keys of the same names. */
export interface NodeSettings {
  /** Connection string of the local node. */
  readonly location: string;
  readonly queue: string;
  /** Name of the worker and of its consumer on the provider. */
  readonly consumer: string;
  /** Keywords added to the connection strings of other nodes. */
  readonly remoteExtra: string;
}

/** Which tables and sequences of the provider a node registers at all. */
export interface RegisterFilters {
  readonly onlyTables: readonly string[];
  readonly skipTables: readonly string[];
  readonly onlySeqs: readonly string[];
  readonly skipSeqs: readonly string[];
}

/** Take the settings out of an ini's values. */
export const nodeSettings = (config: LondisteConfig): NodeSettings => ({
  location: config.db,
  queue: config.queueName,
  consumer: config.consumerName,
  remoteExtra: config.remoteExtraConnstr,
});

/** Take the register_only_* and register_skip_* lists out of an ini's values. */
export const registerFilters = (config: LondisteConfig): RegisterFilters => ({
  onlyTables: config.registerOnlyTables,
  skipTables: config.registerSkipTables,
  onlySeqs: config.registerOnlySeqs,
  skipSeqs: config.registerSkipSeqs,
});
