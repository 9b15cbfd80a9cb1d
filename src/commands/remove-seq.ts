/** remove-seq: stop replicating sequences. */
import { removeSeqs } from '../tables/add-seqs.ts';
import { defineCommand, flag } from './command.ts';
import { withTableNode } from './table-node.ts';

/** The descriptor. */
export const removeSeq = defineCommand({
  name: 'remove-seq',
  args: '[sequence...]',
  summary: 'stop replicating sequences here; on the root, in the whole set',
  options: [
    { flags: '--all', help: 'all sequences of this node' },
    { flags: '--force', help: 'try unknown names too' },
  ],
  section: 'londiste',
  pidfileSuffix: '.admin',
  async run(ctx) {
    await withTableNode(ctx, (node) =>
      removeSeqs(node, { words: ctx.args, all: flag(ctx.options, 'all'), force: flag(ctx.options, 'force') }),
    );
  },
});
