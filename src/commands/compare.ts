/** `kaja CONFIG.ini compare [table…]`: is this node's data what the provider has? */
import { findProvider } from '../compare/compare-context.ts';
import type { TableComparison } from '../compare/compare-one.ts';
import { compareTables, resultOf } from '../compare/compare-tables.ts';
import { writeReport } from '../compare/report-file.ts';
import type { Sample } from '../compare/sample-rows.ts';
import { type CommandContext, defineCommand, flag, text } from './command.ts';
import { COMMON, compareSettings, numberOption, tableWords } from './compare-options.ts';

const EXIT_CODES = { equal: 0, different: 1, 'not comparable': 2 } as const;
const SHOWN = 5;

/** Compares at one moment on both sides, without locks. */
export const compare = defineCommand({
  name: 'compare',
  args: '[table...]',
  summary: 'compare tables with those of the provider',
  details:
    'The worker stands still for a moment while both sides take their snapshots; writers are not hindered.\n' +
    'Tables may be patterns with * and ?; default are all tables of this node.\n' +
    'Exit code: 0 equal, 1 different, 2 something could not be compared, 7 another comparison or repair of this node is running.',
  options: [
    { flags: '--count-only', help: 'compare only numbers of rows' },
    { flags: '--show <rows>', help: `differing rows to name per table, default ${SHOWN}` },
    {
      flags: '--report <file>',
      help: 'write an HTML page with the results and the rows of --show side by side',
    },
    { flags: '--force', help: 'compare even if the worker does not come; differences may be lag' },
    {
      flags: '--resume',
      help: 'go on with a run that was stopped: what it had compared stays so; given from the start, also in the middle of a big table',
    },
    ...COMMON,
  ],
  section: 'londiste',
  pidfileSuffix: '.repair',
  async run(ctx) {
    const context = await findProvider(compareSettings(ctx), 'compare');
    const outcome = await compareTables(context, 'compare', {
      tables: tableWords(ctx),
      countOnly: flag(ctx.options, 'countOnly'),
      sql: ctx.config.compareSql,
      format: ctx.config.compareFmt,
      force: flag(ctx.options, 'force'),
      resume: flag(ctx.options, 'resume'),
      show: numberOption(ctx, 'show') ?? SHOWN,
    });
    ctx.progress.clear();
    const result = resultOf(outcome);
    if (ctx.json) {
      ctx.printJson({
        run_id: outcome.runId,
        result,
        tick: outcome.tick,
        exact: outcome.exact,
        tables: outcome.tables.map(toJson),
        not_comparable: outcome.refused.map((one) => ({ table_name: one.tableName, reason: one.reason })),
      });
    } else for (const table of outcome.tables) printSamples(ctx, table.destName, table.samples);
    const report = text(ctx.options, 'report');
    if (report !== undefined) {
      await writeReport(
        report,
        { node: context.nodeName, source: context.providerNode, queue: context.queue },
        outcome,
      );
      ctx.log.info(`report: ${report}`);
    }
    if (outcome.tables.length === 0) ctx.log.warn('nothing could be compared');
    return EXIT_CODES[result];
  },
});

const KINDS = { missing: 'missing here', extra: 'extra here', different: 'different' } as const;

/** Name differing rows on stdout: values of rows do not belong into logs. */
function printSamples(ctx: CommandContext, table: string, samples: readonly Sample[]): void {
  for (const { kind, row, columns } of samples) {
    const key = Object.entries(row).map(([name, value]) => `${name}=${value ?? 'NULL'}`);
    const differing = columns.length > 0 ? ` in ${columns.join(', ')}` : '';
    ctx.print(`${table}: ${KINDS[kind]}${differing}: ${key.join(', ')}`);
  }
}

/** A result under the names of the JSON output. */
const toJson = (table: TableComparison): Record<string, unknown> => ({
  table_name: table.tableName,
  dest_table: table.destName,
  equal: table.equal,
  source: table.source,
  dest: table.dest,
  source_rows: table.sourceRows,
  dest_rows: table.destRows,
  ...(table.differences ?? {}),
  rows: table.samples,
  seconds: table.seconds,
  ...(table.resumed && { equal_before: { rows: table.resumed.rows, tick: table.resumed.tick } }),
});
