/** The bulk part of an initial copy: rows of a table as they were at a tick, in parallel ranges. */
import { copyBetween } from '../db/copy-stream.ts';
import { planRanges, type TableRange } from '../db/ranges.ts';
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { openReaderSessions, openReadersAtTick, type SnapshotReaders } from '../queue/snapshot-readers.ts';
import type { LocalTable } from '../replay/routes.ts';
import { failpoint } from '../runtime/failpoint.ts';
import { type CopyColumns, findSourceTable, readCopyColumns } from './copy-columns.ts';
import { type CopyContext, copyConsumer, setTableState } from './copy-context.ts';
import { beginProgress, type CopyProgress } from './copy-progress.ts';
import { runGrowingLanes } from './growing-lanes.ts';
import { buildPending } from './pending-ddl.ts';

/**
 * Blocks of 8 kB in a range (64 MB). Between two ranges nothing flows until the last row is written, so they should be long; but what a
 * row takes is known after the first, which progress waits for, and a lane that turns out not to help ends with its range.
 */
const MOST_BLOCKS = 8_192;

/**
 * Load a table's rows; afterwards it is `catching-up` at the tick of the snapshot.
 * Tables whose own rows are kept (skip_truncate) are loaded in one transaction, all others in parallel ranges that are thrown away
 * and started again after a crash.
 * @throws KajaError when either side refuses; the state stays `in-copy`
 */
export async function loadRows(context: CopyContext, table: LocalTable, writer: Session): Promise<void> {
  const { queue, log } = context;
  if (!table.route)
    throw new KajaError('table-missing', `table ${table.destName} does not exist on this node`);
  const keepRows = table.attrs.get('skip_truncate') === '1';
  const jobs = keepRows ? 1 : Math.max(1, context.jobs);
  const request = {
    location: context.providerLocation,
    queue,
    tables: [table.tableName],
    readers: jobs,
    consumer: copyConsumer(context.consumer, table.tableName),
    applicationName: `kaja ${context.consumer} copy ${table.tableName}`,
    signal: context.signal,
  };
  const opened = await openReaderSessions(request);
  const source = await findSourceTable(context, opened.maker, table.tableName).catch(
    async (error: unknown) => {
      await Promise.all([opened.maker.close(), opened.close()]);
      throw error;
    },
  );
  const readers = await openReadersAtTick({ ...request, opened: Promise.resolve(opened) });
  const writers: Session[] = [writer];
  try {
    failpoint('copy-tick-made');
    const reader = readers.sessions[0] as Session;
    const columns = await readCopyColumns(context, table, reader, writer, source.name);
    const ranges = await planRanges(reader, source.name, 1, keepRows ? undefined : MOST_BLOCKS);
    const progress = await beginProgress(context, table.tableName, source.estimatedRows);
    const load = (): Promise<void> =>
      loadRanges(context, table, { ranges, columns, readers, writers, progress });
    try {
      await dropForeignKeys(context, table, writer);
      log.info(`Starting full copy of ${table.tableName} at tick ${readers.tick}`);
      if (keepRows) {
        await writer.transaction(async () => {
          await load();
          await markLoaded(context, table, writer, readers.tick);
        });
      } else {
        await writer.query(table.route.empty);
        await load();
        await writer.query('reset synchronous_commit');
        failpoint('copy-rows-loaded');
        await buildPending(context, table.tableName, writer);
        await writer.transaction(() => markLoaded(context, table, writer, readers.tick));
      }
    } finally {
      await progress.end();
    }
    failpoint('copy-committed');
    log.info(
      `${table.tableName}: copy finished: ${progress.bytes()} bytes, ${progress.rows()} rows in ${progress.seconds()} s`,
    );
  } finally {
    await readers.close();
    await Promise.all(writers.slice(1).map((one) => one.close()));
  }
}

async function markLoaded(
  context: CopyContext,
  table: LocalTable,
  writer: Session,
  tick: bigint,
): Promise<void> {
  await writer.execute(
    'update kaja.table_copy set copy_tick = $3, finished_at = clock_timestamp() where queue_name = $1 and table_name = $2',
    [context.queue, table.tableName, tick],
  );
  await setTableState(writer, context, table.tableName, 'catching-up');
}

/** Foreign keys would refuse rows that come before those they point to; they are kept aside and restored when both tables are ok. */
async function dropForeignKeys(context: CopyContext, table: LocalTable, writer: Session): Promise<void> {
  const keys = await writer.query<{ from_table: string; fkey_name: string }>(
    'select from_table, fkey_name from londiste.find_table_fkeys($1)',
    [table.destName],
  );
  for (const key of keys) {
    context.log.info(`Dropping fkey: ${key.fkey_name}`);
    await writer.query('select londiste.drop_table_fkey($1, $2)', [key.from_table, key.fkey_name]);
  }
}

interface Load {
  readonly ranges: TableRange[];
  readonly columns: CopyColumns;
  readonly readers: SnapshotReaders;
  /** One per lane; further ones are opened when their lane begins. */
  readonly writers: Session[];
  readonly progress: CopyProgress;
}

/** Each pair of reader and writer takes the next range until none is left; the first failure stops all. */
async function loadRanges(context: CopyContext, table: LocalTable, load: Load): Promise<void> {
  const { readers, writers, progress } = load;
  const wanted = ['where', 'copy_condition'].flatMap((key) => {
    const condition = table.attrs.get(key);
    return condition ? [`(${condition}\n)`] : [];
  });
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  const queue = [...load.ranges];
  const lane = async (n: number, goesOn: () => boolean): Promise<void> => {
    const reader = readers.sessions[n] as Session;
    if (n > 0) writers[n] = await context.openWriter(`copy ${table.tableName}`);
    const writer = writers[n] as Session;
    // Ranges need not wait for the disk: the commit that says they are loaded does, and takes everything before it there.
    if (!writer.inTransaction) await writer.query('set synchronous_commit = off');
    for (let range = queue.shift(); range; range = goesOn() ? queue.shift() : undefined) {
      const conditions = [...(range.where ? [range.where] : []), ...wanted];
      const where = conditions.length > 0 ? ` where ${conditions.join(' and ')}` : '';
      const result = await copyBetween({
        from: reader,
        fromSql: `copy (select ${load.columns.source} from ${range.from}${where}) to stdout`,
        to: writer,
        toSql: `copy ${table.route?.dest} (${load.columns.dest}) from stdin`,
        onBytes: (bytes) => progress.moved(n, 0, bytes, false),
        signal,
      });
      progress.moved(n, result.rows, result.bytes, true);
    }
  };
  await runGrowingLanes({
    most: Math.min(readers.sessions.length, load.ranges.length),
    lane: (n, goesOn) =>
      lane(n, goesOn).catch((error: unknown) => {
        if (!failed.signal.aborted) failed.abort(error);
        throw error;
      }),
    done: progress.bytes,
  }).catch((error: unknown) => {
    throw failed.signal.aborted ? failed.signal.reason : error;
  });
}
