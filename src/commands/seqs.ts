/** seqs: the sequences of the queue. */
import { readSeqReports } from '../tables/add-seqs.ts';
import { defineCommand } from './command.ts';
import { withTableNode } from './table-node.ts';

/** The descriptor. */
export const seqs = defineCommand({
  name: 'seqs',
  args: '',
  summary: 'show the sequences of the queue',
  options: [],
  section: 'londiste',
  async run(ctx) {
    await withTableNode(ctx, async (node) => {
      const reports = await readSeqReports(node);
      ctx.printTable(
        'Sequences on node',
        ['seq_name', 'local', 'last_value'],
        reports.map((report) => [report.name, report.local, report.lastValue]),
      );
    });
  },
});
