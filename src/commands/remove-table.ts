/** remove-table: stop replicating tables. */
import { removeTables } from '../tables/remove-tables.ts';
import { defineCommand, flag } from './command.ts';
import { withTableNode } from './table-node.ts';

/** The descriptor. */
export const removeTable = defineCommand({
  name: 'remove-table',
  args: '[table...]',
  summary: 'stop replicating tables here; on the root, in the whole set',
  details: 'The rows stay. Names and patterns as for add-table.',
  options: [
    { flags: '--all', help: 'all tables of this node' },
    { flags: '--force', help: 'try unknown names too' },
  ],
  section: 'londiste',
  pidfileSuffix: '.admin',
  async run(ctx) {
    await withTableNode(ctx, (node) =>
      removeTables(node, {
        words: ctx.args,
        all: flag(ctx.options, 'all'),
        force: flag(ctx.options, 'force'),
      }),
    );
  },
});
