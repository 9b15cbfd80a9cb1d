/** tables: the local tables, their copies and their divergence. */
import { attrsText, copiedText, divergedText, readTableReports } from '../tables/table-report.ts';
import { defineCommand, flag } from './command.ts';
import { withTableNode } from './table-node.ts';

const HEADER = [
  'table_name',
  'merge_state',
  'table_attrs',
  'rows_copied',
  'rows_per_s',
  'diverged',
  'last_error',
] as const;

/** The descriptor. */
export const tables = defineCommand({
  name: 'tables',
  args: '',
  summary: 'show the tables of this node, how far their copies are and whether they diverged',
  details:
    'diverged counts changes that did not find the rows they should have found; compare and repair help.',
  options: [{ flags: '--names-only', help: 'one name per line' }],
  section: 'londiste',
  async run(ctx) {
    await withTableNode(ctx, async ({ here, queue }) => {
      const reports = await readTableReports(here, queue);
      if (flag(ctx.options, 'namesOnly')) {
        if (ctx.json) ctx.printJson(reports.map((report) => report.tableName));
        else for (const report of reports) ctx.print(report.tableName);
      } else if (ctx.json) {
        ctx.printJson(
          reports.map((report) => ({
            table_name: report.tableName,
            dest_table: report.destName,
            merge_state: report.mergeState,
            table_attrs: report.attrs,
            style: report.style,
            copying: report.copying,
            rows_copied: report.rowsCopied,
            rows_total: report.rowsTotal,
            bytes_copied: report.bytesCopied,
            rows_per_second: report.rowsPerSecond,
            update_missing: report.updateMissing,
            delete_missing: report.deleteMissing,
            insert_found: report.insertFound,
            last_error: report.lastError,
          })),
        );
      } else {
        ctx.printTable(
          'Tables on node',
          HEADER,
          reports.map((report) => [
            report.tableName === report.destName
              ? report.tableName
              : `${report.tableName}(${report.destName})`,
            report.mergeState,
            attrsText(report.attrs),
            copiedText(report),
            report.copying ? (report.rowsPerSecond ?? '') : '',
            divergedText(report),
            report.lastError ?? '',
          ]),
        );
      }
    });
  },
});
