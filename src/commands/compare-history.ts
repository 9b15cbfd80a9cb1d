/** `kaja CONFIG.ini compare-history [run]`: what comparisons and repairs of this node found. */
import { type RunRow, type RunTableRow, readRuns, readRunTables } from '../compare/history.ts';
import { KajaError, UsageError } from '../errors/kaja-error.ts';
import { type CommandContext, defineCommand } from './command.ts';
import { countOption } from './compare-options.ts';
import { withTableNode } from './table-node.ts';

const SHOWN = 20;

/** The descriptor. */
export const compareHistory = defineCommand({
  name: 'compare-history',
  args: '[run]',
  summary: 'show what comparisons and repairs of this node found',
  details: 'With the number of a run: its tables. Runs are kept for 90 days.',
  options: [{ flags: '--last <n>', help: `newest runs to show, default ${SHOWN}` }],
  section: 'londiste',
  async run(ctx) {
    const [word] = ctx.args;
    if (word !== undefined && !/^\d{1,15}$/.test(word))
      throw new UsageError(`'${word}' is not the number of a run`);
    const runId = word === undefined ? undefined : Number(word);
    await withTableNode(ctx, async ({ here, queue }) => {
      const runs = await readRuns(here, queue, countOption(ctx, 'last') ?? SHOWN, runId);
      const [only] = runs;
      if (runId === undefined) printRuns(ctx, runs);
      else if (only) printRun(ctx, only, await readRunTables(here, only.run_id));
      else throw new KajaError('state-refused', `there is no run ${runId} of queue ${queue}`);
    });
  },
});

function printRuns(ctx: CommandContext<'londiste'>, runs: readonly RunRow[]): void {
  if (ctx.json) {
    ctx.printJson(runs);
    return;
  }
  ctx.printTable(
    'Comparisons',
    ['run', 'kind', 'by', 'source', 'started', 'seconds', 'tick', 'tables', 'different', 'result'],
    runs.map((run) => [
      run.run_id,
      run.kind,
      run.started_by,
      run.source_node,
      run.started_at.slice(0, 19),
      run.seconds?.toFixed(1) ?? '',
      run.tick_id ?? '',
      run.tables,
      run.different_tables,
      run.result ?? (run.error === null ? 'not finished' : `failed: ${run.error}`),
    ]),
  );
}

function printRun(ctx: CommandContext<'londiste'>, run: RunRow, tables: readonly RunTableRow[]): void {
  if (ctx.json) {
    ctx.printJson({ ...run, tables });
    return;
  }
  printRuns(ctx, [run]);
  ctx.printTable(
    'Tables',
    ['table', 'result', 'source_rows', 'dest_rows', 'missing', 'extra', 'different', 'repaired', 'seconds'],
    tables.map((table) => [
      table.dest_table,
      table.reason ?? table.result,
      table.source_rows ?? '',
      table.dest_rows ?? '',
      table.missing ?? '',
      table.extra ?? '',
      table.different ?? '',
      table.inserts === null ? '' : `${table.inserts}+${table.updates}+${table.deletes}`,
      table.seconds?.toFixed(2) ?? '',
    ]),
  );
}
