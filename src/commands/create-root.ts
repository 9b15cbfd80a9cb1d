/** `kaja CONFIG.ini create-root`: make this database the root of a new set. */
import { createRoot as create } from '../cascade/create-root.ts';
import { defineCommand } from './command.ts';
import { createRequest, NOCHECK } from './node-options.ts';

/** Installs the schemas and creates the queue. */
export const createRoot = defineCommand({
  name: 'create-root',
  args: '[name] [public-connstr]',
  summary: 'make this database the root of a new set',
  details:
    'Installs the schemas when they are missing. Name and connect string may come from node_name and public_node_location.\n' +
    'A database that is a node of the queue already is left as it is (exit code 0).',
  options: [NOCHECK],
  section: 'londiste',
  pidfileSuffix: '.admin',
  async run(ctx) {
    await create(createRequest(ctx));
  },
});
