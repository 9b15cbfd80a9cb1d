/** `kaja CONFIG.ini compare [table…]`: is this node's data what the provider has? */
import { findProvider } from '../compare/compare-context.ts';
import { compareTables, type TableComparison } from '../compare/compare-tables.ts';
import type { Sample } from '../compare/find-differences.ts';
import { type CommandContext, defineCommand, flag } from './command.ts';
import { compareSettings, numberOption, WAIT } from './compare-options.ts';

/** Exit codes of compare. */
const EQUAL = 0;
const DIFFERENT = 1;
const NOT_COMPARABLE = 2;
const SHOWN = 5;

/** Compares at one moment on both sides, without locks. */
export const compare = defineCommand({
  name: 'compare',
  args: '[table...]',
  summary: 'compare tables with those of the provider',
  details:
    'The worker stands still for a moment while both sides take their snapshots; writers are not hindered.\n' +
    'Tables may be patterns with * and ?; default are all tables of this node.\n' +
    'Exit code: 0 equal, 1 different, 2 nothing could be compared.',
  options: [
    { flags: '--count-only', help: 'compare only numbers of rows' },
    { flags: '--show <rows>', help: `differing rows to name per table, default ${SHOWN}` },
    { flags: '--force', help: 'compare even if the worker does not come; differences may be lag' },
    WAIT,
  ],
  section: 'londiste',
  pidfileSuffix: '.repair',
  async run(ctx) {
    const context = await findProvider(compareSettings(ctx), 'compare');
    const outcome = await compareTables(context, {
      tables: ctx.args,
      countOnly: flag(ctx.options, 'countOnly'),
      sql: ctx.config.compareSql,
      format: ctx.config.compareFmt,
      force: flag(ctx.options, 'force'),
      show: numberOption(ctx, 'show') ?? SHOWN,
    });
    ctx.progress.clear();
    if (ctx.json)
      ctx.printJson({ tick: outcome.tick, exact: outcome.exact, tables: outcome.tables.map(toJson) });
    else for (const table of outcome.tables) printSamples(ctx, table.destName, table.samples);
    if (outcome.tables.length === 0) {
      ctx.log.warn('nothing could be compared');
      return NOT_COMPARABLE;
    }
    return outcome.tables.every((table) => table.equal) ? EQUAL : DIFFERENT;
  },
});

const KINDS = { missing: 'missing here', extra: 'extra here', different: 'different' } as const;

/** Name differing rows on stdout: values of rows do not belong into logs. */
export function printSamples(ctx: CommandContext, table: string, samples: readonly Sample[]): void {
  for (const { kind, row } of samples) {
    const key = Object.entries(row).map(([name, value]) => `${name}=${value ?? 'NULL'}`);
    ctx.print(`${table}: ${KINDS[kind]}: ${key.join(', ')}`);
  }
}

/** A result under the names of the JSON output. */
export const toJson = (table: TableComparison): Record<string, unknown> => ({
  table_name: table.tableName,
  dest_table: table.destName,
  equal: table.equal,
  source: table.source,
  dest: table.dest,
  source_rows: table.sourceRows,
  dest_rows: table.destRows,
  ...(table.differences ?? {}),
  rows: table.samples,
});
