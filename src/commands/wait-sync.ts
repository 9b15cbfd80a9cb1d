/** wait-sync: wait for the copies of all tables. */
import { waitSync as waitUntilSync } from '../tables/wait-sync.ts';
import { defineCommand } from './command.ts';
import { wholeNumber, withTableNode } from './table-node.ts';

/** The descriptor. */
export const waitSync = defineCommand({
  name: 'wait-sync',
  args: '',
  summary: 'wait until all tables of this node are in sync',
  options: [{ flags: '--timeout <seconds>', help: 'give up after this time, exit code 1' }],
  section: 'londiste',
  async run(ctx) {
    const seconds = wholeNumber(ctx.options, 'timeout', 'timeout', 1);
    await withTableNode(ctx, (node) =>
      waitUntilSync(node, ctx.progress, seconds === undefined ? undefined : seconds * 1000),
    );
  },
});
