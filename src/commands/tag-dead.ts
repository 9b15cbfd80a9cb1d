/** `kaja CONFIG.ini tag-dead NODE`: declare a node dead. */
import { nodeSettings } from '../cascade/node-settings.ts';
import { tagNode } from '../cascade/tag-node.ts';
import { defineCommand } from './command.ts';

/** Tells all members that can be reached. */
export const tagDead = defineCommand({
  name: 'tag-dead',
  args: '<node>',
  summary: 'declare a node dead: it is not contacted any more',
  options: [],
  section: 'londiste',
  pidfileSuffix: '.admin',
  async run(ctx) {
    const [node = ''] = ctx.args;
    await tagNode({ settings: nodeSettings(ctx.config), node, dead: true, log: ctx.log, signal: ctx.signal });
  },
});
