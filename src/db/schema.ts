/** Tables of pgq, pgq_node, londiste and kaja as Kysely sees them. Columns as in the database; timestamps and intervals are text. */
import type { Generated } from 'kysely';

/** One queue. */
export interface QueueTable {
  queue_id: Generated<number>;
  queue_name: string;
  queue_ntables: Generated<number>;
  queue_cur_table: Generated<number>;
  queue_rotation_period: Generated<string>;
  queue_switch_step1: Generated<bigint>;
  queue_switch_step2: Generated<bigint | null>;
  queue_switch_time: Generated<string>;
  queue_external_ticker: Generated<boolean>;
  queue_disable_insert: Generated<boolean>;
  queue_ticker_paused: Generated<boolean>;
  queue_ticker_max_count: Generated<number>;
  queue_ticker_max_lag: Generated<string>;
  queue_ticker_idle_period: Generated<string>;
  queue_per_tx_limit: number | null;
  queue_data_pfx: string;
  queue_event_seq: string;
  queue_tick_seq: string;
  queue_extra_maint: string[] | null;
}

/** A consumer name, shared by all queues. */
export interface ConsumerTable {
  co_id: Generated<number>;
  co_name: string;
}

/** A consumer registered on a queue, with its open batch. */
export interface SubscriptionTable {
  sub_id: Generated<number>;
  sub_queue: number;
  sub_consumer: number;
  sub_last_tick: bigint | null;
  sub_active: Generated<string>;
  sub_batch: bigint | null;
  sub_next_tick: bigint | null;
}

/** A stored position of a queue. */
export interface TickTable {
  tick_queue: number;
  tick_id: bigint;
  tick_time: Generated<string>;
  tick_snapshot: Generated<string>;
  tick_event_seq: bigint;
}

/** An event that will be inserted again. */
export interface RetryQueueTable {
  ev_retry_after: string;
  ev_queue: number;
  ev_id: bigint;
  ev_time: string;
  ev_txid: bigint | null;
  ev_owner: number;
  ev_retry: number | null;
  ev_type: string | null;
  ev_data: string | null;
  ev_extra1: string | null;
  ev_extra2: string | null;
  ev_extra3: string | null;
  ev_extra4: string | null;
}

/** A member of a queue's set. */
export interface NodeLocationTable {
  queue_name: string;
  node_name: string;
  node_location: string;
  dead: Generated<boolean>;
}

/** The local node of a queue. */
export interface NodeInfoTable {
  queue_name: string;
  node_type: 'root' | 'branch' | 'leaf';
  node_name: string;
  worker_name: string | null;
  combined_queue: string | null;
  node_attrs: string | null;
}

/** Position and requests of a cascaded consumer. */
export interface LocalStateTable {
  queue_name: string;
  consumer_name: string;
  provider_node: string;
  last_tick_id: bigint;
  cur_error: string | null;
  paused: Generated<boolean>;
  uptodate: Generated<boolean>;
}

/** A node that reads from the local one. */
export interface SubscriberInfoTable {
  queue_name: string;
  subscriber_node: string;
  worker_name: string;
  watermark_name: string;
}

/** A table known on a queue. */
export interface TableInfoTable {
  nr: Generated<number>;
  queue_name: string;
  table_name: string;
  local: Generated<boolean>;
  merge_state: string | null;
  custom_snapshot: string | null;
  dropped_ddl: string | null;
  table_attrs: string | null;
  dest_table: string | null;
}

/** A sequence known on a queue. */
export interface SeqInfoTable {
  nr: Generated<number>;
  queue_name: string;
  seq_name: string;
  local: Generated<boolean>;
  last_value: bigint;
}

/** A script that EXECUTE has run here. */
export interface AppliedExecuteTable {
  queue_name: string;
  execute_file: string;
  execute_time: Generated<string>;
  execute_sql: string;
  execute_attrs: string | null;
}

/** A foreign key that waits until both tables are copied. */
export interface PendingFkeysTable {
  from_table: string;
  to_table: string;
  fkey_name: string;
  fkey_def: string;
}

/** Columns of a captured row in order; json is the server's text. */
export interface ShapeTable {
  shape_id: string;
  columns: string;
}

/** A captured table (provider). */
export interface CaptureTable {
  capture_id: Generated<number>;
  queue_name: string;
  table_name: string;
  relid: number;
  style: 'key' | 'whole_row' | 'insert_only';
  ops: string;
  row_level: boolean;
  key_attnums: number[];
  columns: string;
  shape_id: string;
}

/** How and from where a table is copied (subscriber). */
export interface TableCopyTable {
  queue_name: string;
  table_name: string;
  copy_tick: bigint | null;
  provider: string | null;
  style: Generated<string>;
  pending_ddl: Generated<string[]>;
  rows_copied: Generated<bigint>;
  bytes_copied: Generated<bigint>;
  rows_total: bigint | null;
  started_at: string | null;
  finished_at: string | null;
  last_error: string | null;
}

/** Provider column → subscriber column. */
export interface ColumnMapTable {
  queue_name: string;
  table_name: string;
  source_attnum: number;
  source_name: string;
  dest_attnum: number | null;
  key_position: number | null;
}

/** Volume and divergence counters (subscriber). */
export interface TableStatsTable {
  queue_name: string;
  table_name: string;
  inserted: Generated<bigint>;
  updated: Generated<bigint>;
  deleted: Generated<bigint>;
  update_missing: Generated<bigint>;
  delete_missing: Generated<bigint>;
  insert_found: Generated<bigint>;
  last_diverged: string | null;
}

/** A request to stand still at a tick (subscriber). */
export interface HoldTable {
  hold_id: Generated<bigint>;
  queue_name: string;
  tick_id: bigint;
  requested_at: Generated<string>;
  expires_at: string;
  reached_at: string | null;
  backend_pid: number | null;
}

/** An applied migration; `name` and `timestamp` are Kysely's. */
export interface SchemaMigrationTable {
  name: string;
  timestamp: string;
  schema_name: string | null;
  checksum: string | null;
  kaja_version: string | null;
}

/** The function files a schema stands at. */
export interface SchemaFunctionsTable {
  schema: string;
  checksum: string;
  applied_at: Generated<string>;
  kaja_version: string;
}

/** All tables by qualified name. */
export interface Database {
  'pgq.queue': QueueTable;
  'pgq.consumer': ConsumerTable;
  'pgq.subscription': SubscriptionTable;
  'pgq.tick': TickTable;
  'pgq.retry_queue': RetryQueueTable;
  'pgq_node.node_location': NodeLocationTable;
  'pgq_node.node_info': NodeInfoTable;
  'pgq_node.local_state': LocalStateTable;
  'pgq_node.subscriber_info': SubscriberInfoTable;
  'londiste.table_info': TableInfoTable;
  'londiste.seq_info': SeqInfoTable;
  'londiste.applied_execute': AppliedExecuteTable;
  'londiste.pending_fkeys': PendingFkeysTable;
  'kaja.shape': ShapeTable;
  'kaja.capture': CaptureTable;
  'kaja.table_copy': TableCopyTable;
  'kaja.column_map': ColumnMapTable;
  'kaja.table_stats': TableStatsTable;
  'kaja.hold': HoldTable;
  'kaja.schema_migration': SchemaMigrationTable;
  'kaja.schema_functions': SchemaFunctionsTable;
}
