/** `kaja CONFIG.ini drop-node NODE`: take a node out of the set. */
import { dropNode as drop } from '../cascade/drop-node.ts';
import { nodeSettings } from '../cascade/node-settings.ts';
import { defineCommand } from './command.ts';

/** Works from any member, also when the node's database is gone. */
export const dropNode = defineCommand({
  name: 'drop-node',
  args: '<node>',
  summary: 'take a node out of the set; its tables stay',
  details:
    'Removes queue, registrations and triggers in the database of the node, and makes all other members forget it.\n' +
    'A node whose database is gone, or tagged dead, is only forgotten. May be repeated after a failure.',
  options: [],
  section: 'londiste',
  pidfileSuffix: '.admin',
  async run(ctx) {
    const [node = ''] = ctx.args;
    await drop({ settings: nodeSettings(ctx.config), node, log: ctx.log, signal: ctx.signal });
  },
});
