/** A root and a leaf with a running worker and ticks, for tests of what arrives. Set up with SQL only. */
import { pino } from 'pino';
import { createWorker } from '../../src/worker/run-worker.ts';
import type { WorkerSettings } from '../../src/worker/worker-settings.ts';
import type { TestDatabase } from './database.ts';
import { eventually } from './eventually.ts';

/** How a table goes to the leaf. */
export interface TableSetup {
  /** Physical name on the leaf, `schema.name`; default: the same. */
  readonly dest?: string;
  readonly key?: string[];
  readonly style?: 'key' | 'whole_row' | 'insert_only';
  /** table_attrs, urlencoded. */
  readonly attrs?: string;
  readonly expectSync?: boolean;
}

/** A running pair. */
export interface Replication {
  readonly queue: string;
  readonly settings: WorkerSettings;
  readonly log: string[];
  /** Capture on the root and register on the leaf. */
  addTable(name: string, setup?: TableSetup): Promise<void>;
  startWorker(): void;
  stopWorker(): Promise<void>;
  /** Wait until all tables are `ok` and the leaf has applied everything committed on the root. */
  settled(timeoutMs?: number): Promise<void>;
  /** Rows of both sides as text, sorted, by one expression over the table. */
  expectEqual(table: string, dest?: string, where?: string): Promise<void>;
  stop(): Promise<void>;
}

/** Create nodes in two installed databases and start ticking. */
export async function replicate(
  root: TestDatabase,
  leaf: TestDatabase,
  overrides: Partial<WorkerSettings> = {},
): Promise<Replication> {
  const queue = 'replika';
  await root.sql(`select pgq_node.register_location($1, 'root', $2, false)`, [queue, root.url]);
  await root.sql(`select pgq_node.create_node($1, 'root', 'root', 'root', null, null, null)`, [queue]);
  await root.sql(`select pgq_node.register_location($1, 'leaf', $2, false)`, [queue, leaf.url]);
  const [subscriber] = await root.sql(
    `select * from pgq_node.register_subscriber($1, 'leaf', 'leaf', null)`,
    [queue],
  );
  await leaf.sql(`select pgq_node.register_location($1, 'leaf', $2, false)`, [queue, leaf.url]);
  await leaf.sql(`select pgq_node.register_location($1, 'root', $2, false)`, [queue, root.url]);
  await leaf.sql(`select pgq_node.create_node($1, 'leaf', 'leaf', 'leaf', 'root', $2, null)`, [
    queue,
    subscriber.global_watermark,
  ]);
  const settings: WorkerSettings = {
    location: leaf.url,
    queue,
    consumer: 'leaf',
    remoteExtra: '',
    loopDelayMs: 200,
    exceptionSleepMs: 500,
    connectionLifetimeMs: 0,
    batchMaxEvents: 20_000,
    keepLagMs: 0,
    collectEvents: 0,
    collectIntervalMs: 0,
    applyRole: 'auto',
    parallelCopies: 2,
    copyJobs: 2,
    localWatermarkMs: 1000,
    globalWatermarkMs: 1000,
    keepaliveStatsMs: 300_000,
    lockTimeoutMs: 5000,
    registerOnlyTables: [],
    registerSkipTables: [],
    registerOnlySeqs: [],
    registerSkipSeqs: [],
    ...overrides,
  };
  const ticker = await root.connect();
  let ticking = true;
  const ticks = (async () => {
    while (ticking) {
      await ticker.query('select * from kaja.poll_ticks()');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  const log: string[] = [];
  const logger = pino(
    { level: 'debug' },
    { write: (line: string) => void log.push((JSON.parse(line) as { msg: string }).msg) },
  );
  let running: { stop: AbortController; done: Promise<void> } | undefined;
  const names = (table: string): string => (table.includes('.') ? table : `public.${table}`);
  const result: Replication = {
    queue,
    settings,
    log,
    addTable: async (table, setup = {}) => {
      const name = names(table);
      const style = setup.style ?? 'key';
      const flags = style === 'key' ? (setup.key ? [`key=${setup.key.join(',')}`] : []) : [style];
      const check = (rows: { ret_code: number; ret_note: string }[]): void => {
        if ((rows[0]?.ret_code ?? 500) >= 300) throw new Error(rows[0]?.ret_note);
      };
      check(
        await root.sql('select * from londiste.local_add_table($1, $2, $3::text[])', [queue, name, flags]),
      );
      await leaf.sql('select * from londiste.global_add_table($1, $2)', [queue, name]);
      check(
        await leaf.sql('select * from londiste.local_add_table($1, $2, $3::text[], $4, $5)', [
          queue,
          name,
          [...flags, ...(setup.expectSync ? ['expect_sync'] : [])],
          setup.attrs ?? null,
          setup.dest ?? null,
        ]),
      );
      await leaf.sql(
        `insert into kaja.table_copy (queue_name, table_name, style) values ($1, $2, $3) on conflict do nothing`,
        [queue, name, style],
      );
      const keys = (
        await root.sql('select key_attnums from kaja.capture where queue_name = $1 and table_name = $2', [
          queue,
          name,
        ])
      )[0].key_attnums as number[];
      const source = await root.sql(
        'select c.key as name, c.value::int as attnum from kaja.capture k, json_each_text(k.columns) c where k.queue_name = $1 and k.table_name = $2',
        [queue, name],
      );
      for (const column of source) {
        const position = keys.indexOf(column.attnum) + 1;
        await leaf.sql(
          `insert into kaja.column_map select $1, $2, $3, $4::text, a.attnum, $5::int from pg_attribute a where a.attrelid = to_regclass(londiste.quote_fqname($6)) and a.attname = $4::text`,
          [queue, name, column.attnum, column.name, position > 0 ? position : null, setup.dest ?? name],
        );
      }
    },
    startWorker: () => {
      const stop = new AbortController();
      running = { stop, done: createWorker(settings, logger).run(stop.signal) };
    },
    stopWorker: async () => {
      running?.stop.abort();
      await running?.done;
      running = undefined;
    },
    settled: async (timeoutMs = 30_000) => {
      // A forced tick waits for the lock of a tick in the making, so it surely has everything committed before; none is made if another ticker was faster after that.
      await root.sql('select pgq.force_tick($1)', [queue]);
      const tick = BigInt(
        (
          await root.sql(
            'select coalesce(pgq.ticker($1), (select last_tick_id from pgq.get_queue_info($1))) as tick',
            [queue],
          )
        )[0].tick,
      );
      await eventually(
        async () =>
          (
            await leaf.sql(
              `select s.last_tick_id >= $2 and (select coalesce(bool_and(merge_state is not distinct from 'ok'), true) from londiste.table_info where queue_name = $1 and local) as done, s.last_tick_id, s.cur_error,
             (select array_agg(table_name || '=' || coalesce(merge_state, 'null')) from londiste.table_info where queue_name = $1 and local) as states, (select array_agg(last_error) from kaja.table_copy) as errors
           from pgq_node.local_state s where s.queue_name = $1`,
              [queue, String(tick)],
            )
          )[0],
        (row) => row.done === true,
        { timeoutMs },
      );
    },
    expectEqual: async (table, dest = table, where = 'true') => {
      const read = async (db: TestDatabase, name: string): Promise<string[]> => {
        const quoted = (await db.sql('select londiste.quote_fqname($1) as q', [names(name)]))[0].q;
        return (await db.sql(`select t::text as row from ${quoted} t where ${where} order by 1`)).map(
          (row) => row.row,
        );
      };
      const [left, right] = await Promise.all([read(root, table), read(leaf, dest)]);
      if (JSON.stringify(left) !== JSON.stringify(right)) {
        const missing = left.filter((row) => !right.includes(row)).slice(0, 5);
        const extra = right.filter((row) => !left.includes(row)).slice(0, 5);
        throw new Error(
          `table ${table} differs: ${left.length} rows on the root, ${right.length} on the leaf; missing ${missing.join(' ')}; extra ${extra.join(' ')}\n${log.slice(-10).join('\n')}`,
        );
      }
    },
    stop: async () => {
      await result.stopWorker();
      ticking = false;
      await ticks;
    },
  };
  return result;
}
