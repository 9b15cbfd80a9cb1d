/** `kaja CONFIG.ini create-branch`: refused for now. */
import { KajaError } from '../errors/kaja-error.ts';
import { defineCommand } from './command.ts';
import { NOCHECK } from './node-options.ts';

/** Says that branches are to come; changes nothing. */
export const createBranch = defineCommand({
  name: 'create-branch',
  args: '[name] [public-connstr]',
  summary: 'make this database a branch (not in this version yet)',
  options: [
    { flags: '--provider <connstr>', help: 'connect string of the node to read from' },
    NOCHECK,
    { flags: '--sync-watermark <nodes>', help: 'nodes that shall not fall behind this one' },
  ],
  section: 'londiste',
  async run() {
    throw new KajaError('state-refused', 'create-branch is not in this version yet', {
      hint: 'nothing was changed; create-leaf makes a node without subscribers',
    });
  },
});
