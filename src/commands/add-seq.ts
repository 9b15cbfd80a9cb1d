/** add-seq: publish sequences on the root, follow them elsewhere. */
import { addSeqs } from '../tables/add-seqs.ts';
import { defineCommand, flag } from './command.ts';
import { createChoice, withTableNode } from './table-node.ts';

/** The descriptor. */
export const addSeq = defineCommand({
  name: 'add-seq',
  args: '[sequence...]',
  summary: 'replicate sequences',
  details: 'Subscribers stand ahead of the root, so that a node that takes over gives no value twice.',
  options: [
    { flags: '--all', help: 'all sequences that are not replicated yet' },
    { flags: '--force', help: 'try unknown names too' },
    { flags: '--create', help: 'create missing sequences' },
    { flags: '--create-full', help: 'create missing sequences, owned by the column of their table' },
    { flags: '--skip-non-existing', help: 'pass over sequences that this node lacks' },
  ],
  section: 'londiste',
  pidfileSuffix: '.admin',
  async run(ctx) {
    const options = {
      create: createChoice(ctx.options),
      skipNonExisting: flag(ctx.options, 'skipNonExisting'),
    };
    await withTableNode(ctx, (node) =>
      addSeqs(
        node,
        { words: ctx.args, all: flag(ctx.options, 'all'), force: flag(ctx.options, 'force') },
        options,
      ),
    );
  },
});
