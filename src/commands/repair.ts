/** `kaja CONFIG.ini repair [table…]`: make differing rows what they are on the provider. */
import { findProvider } from '../compare/compare-context.ts';
import { repairTables, type TableRepair } from '../compare/repair-tables.ts';
import { UsageError } from '../errors/kaja-error.ts';
import { defineCommand, flag, text } from './command.ts';
import { COMMON, compareSettings, countOption, tableWords } from './compare-options.ts';

/** Exit codes of repair. */
const DONE = 0;
const DIFFERENT = 1;
const NOT_COMPARABLE = 2;
const BATCH_ROWS = 5000;

/** Writes SQL files, or with --apply the rows themselves. */
export const repair = defineCommand({
  name: 'repair',
  args: '[table...]',
  summary: 'find differing rows and make them what they are on the provider',
  details:
    'Without --apply nothing is changed: the statements are written to fix.<table>.sql in the current directory.\n' +
    'With --apply rows are changed batch by batch, each looked at again while the worker stands still, so that nothing newer is overwritten.\n' +
    'Old and new values of every changed row go to kaja.repair_log, which only its owner can read.\n' +
    'Exit code: 0 nothing differs (any more), 1 rows differ, 2 nothing could be compared, 7 another comparison or repair of this node is running.',
  options: [
    { flags: '--apply', help: 'change the rows, instead of writing SQL files' },
    { flags: '--repair-where <condition>', help: "only rows that match, over the provider's columns" },
    { flags: '--delete-extra', help: 'with --apply: delete rows that are only here; else they stay' },
    { flags: '--max-rows <n>', help: 'leave a table alone if more rows differ' },
    { flags: '--batch-rows <n>', help: `rows changed in one transaction, default ${BATCH_ROWS}` },
    { flags: '--force', help: 'wait for the worker as long as it takes' },
    ...COMMON,
    { flags: '--sort-bufsize <size>', help: 'accepted for old scripts, without effect' },
  ],
  section: 'londiste',
  pidfileSuffix: '.repair',
  async run(ctx) {
    const settings = compareSettings(ctx);
    if (settings.lock) throw new UsageError('repair holds the worker, it cannot --lock; compare can');
    const force = flag(ctx.options, 'force');
    const patient = force ? { waitMs: 0, waitForStart: true } : {};
    const context = await findProvider({ ...settings, ...patient }, 'repair');
    if (context.standby)
      throw new UsageError('repair reads rows from the root, not from a standby; compare can read one');
    const { outcome, repairs } = await repairTables(context, {
      tables: tableWords(ctx),
      apply: flag(ctx.options, 'apply'),
      where: text(ctx.options, 'repairWhere') ?? null,
      deleteExtra: flag(ctx.options, 'deleteExtra'),
      maxRows: countOption(ctx, 'maxRows') ?? null,
      batchRows: countOption(ctx, 'batchRows') ?? BATCH_ROWS,
      directory: process.cwd(),
    });
    ctx.progress.clear();
    if (ctx.json) ctx.printJson({ run_id: outcome.runId, tick: outcome.tick, tables: repairs.map(toJson) });
    if (repairs.length === 0) {
      ctx.log.warn('nothing could be compared');
      return NOT_COMPARABLE;
    }
    if (repairs.some((one) => one.remaining > 0)) return DIFFERENT;
    return outcome.refused.length > 0 ? NOT_COMPARABLE : DONE;
  },
});

const toJson = (one: TableRepair): Record<string, unknown> => ({
  table_name: one.tableName,
  dest_table: one.destName,
  source_rows: one.sourceRows,
  dest_rows: one.destRows,
  inserts: one.inserts,
  updates: one.updates,
  deletes: one.deletes,
  remaining: one.remaining,
  file: one.file,
});
