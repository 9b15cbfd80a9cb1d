/** resync: copy tables again. */
import { resyncTables } from '../tables/resync-tables.ts';
import { waitSync } from '../tables/wait-sync.ts';
import { defineCommand, flag } from './command.ts';
import { refuseUnsupported, withTableNode } from './table-node.ts';

/** The descriptor. */
export const resync = defineCommand({
  name: 'resync',
  args: '[table...]',
  summary: 'empty tables of this node and copy them from the provider again',
  details: 'The worker does the copying. Columns that came or went on either side are taken into account.',
  options: [
    { flags: '--all', help: 'all tables of this node' },
    { flags: '--wait-sync', help: 'wait until all tables are in sync' },
    { flags: '--find-copy-node', help: 'not in this version' },
    { flags: '--copy-node <node>', help: 'not in this version' },
  ],
  section: 'londiste',
  pidfileSuffix: '.admin',
  async run(ctx) {
    refuseUnsupported(ctx.options, ['find-copy-node', 'copy-node']);
    await withTableNode(ctx, async (node) => {
      await resyncTables(node, { words: ctx.args, all: flag(ctx.options, 'all'), force: false });
      if (flag(ctx.options, 'waitSync')) await waitSync(node, ctx.progress);
    });
  },
});
