/** `kaja CONFIG.ini repair [table…]`: make differing rows what they are on the provider. */
import { findProvider } from '../compare/compare-context.ts';
import { repairTables, type TableRepair } from '../compare/repair-tables.ts';
import { defineCommand, flag, text } from './command.ts';
import { compareSettings, WAIT } from './compare-options.ts';

/** Exit codes of repair. */
const DONE = 0;
const DIFFERENT = 1;
const NOT_COMPARABLE = 2;

/** Writes SQL files, or with --apply the rows themselves. */
export const repair = defineCommand({
  name: 'repair',
  args: '[table...]',
  summary: 'find differing rows and make them what they are on the provider',
  details:
    'Without --apply nothing is changed: the statements are written to fix.<table>.sql in the current directory.\n' +
    'With --apply the worker stands still while rows are changed; nothing newer is overwritten.\n' +
    'Exit code: 0 nothing differs (any more), 1 rows differ, 2 nothing could be compared.',
  options: [
    { flags: '--apply', help: 'change the rows, instead of writing SQL files' },
    { flags: '--repair-where <condition>', help: "only rows that match, over the provider's columns" },
    { flags: '--force', help: 'wait for the worker as long as it takes' },
    WAIT,
    { flags: '--sort-bufsize <size>', help: 'accepted for old scripts, without effect' },
  ],
  section: 'londiste',
  pidfileSuffix: '.repair',
  async run(ctx) {
    const settings = compareSettings(ctx);
    const waitMs = flag(ctx.options, 'force') ? 0 : settings.waitMs;
    const context = await findProvider({ ...settings, waitMs }, 'repair');
    const { outcome, repairs } = await repairTables(context, {
      tables: ctx.args,
      apply: flag(ctx.options, 'apply'),
      where: text(ctx.options, 'repairWhere') ?? null,
      directory: process.cwd(),
    });
    ctx.progress.clear();
    if (ctx.json) ctx.printJson({ tick: outcome.tick, tables: repairs.map(toJson) });
    if (repairs.length === 0) {
      ctx.log.warn('nothing could be compared');
      return NOT_COMPARABLE;
    }
    return repairs.every((one) => one.remaining === 0) ? DONE : DIFFERENT;
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
