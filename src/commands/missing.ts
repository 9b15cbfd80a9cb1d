/** missing: what could be replicated here and is not. */
import { listMissing } from '../tables/node-tables.ts';
import { defineCommand } from './command.ts';
import { withTableNode } from './table-node.ts';

/** The descriptor. */
export const missing = defineCommand({
  name: 'missing',
  args: '',
  summary: 'show tables (r) and sequences (S) that this node does not replicate',
  details: 'On the root: those of the database. Elsewhere: those of the queue.',
  options: [],
  section: 'londiste',
  async run(ctx) {
    await withTableNode(ctx, async ({ here, queue }) => {
      const rows: [string, string][] = [];
      for (const kind of ['S', 'r'] as const)
        for (const name of await listMissing(here, queue, kind)) rows.push([kind, name]);
      ctx.printTable('Missing objects on node', ['obj_kind', 'obj_name'], rows);
    });
  },
});
