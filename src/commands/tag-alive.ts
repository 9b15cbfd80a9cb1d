/** `kaja CONFIG.ini tag-alive NODE`: take a declaration of death back. */
import { nodeSettings } from '../cascade/node-settings.ts';
import { tagNode } from '../cascade/tag-node.ts';
import { defineCommand } from './command.ts';

/** Tells all members that can be reached, the node itself included. */
export const tagAlive = defineCommand({
  name: 'tag-alive',
  args: '<node>',
  summary: 'declare a node alive again',
  options: [],
  section: 'londiste',
  pidfileSuffix: '.admin',
  async run(ctx) {
    const [node = ''] = ctx.args;
    await tagNode({
      settings: nodeSettings(ctx.config),
      node,
      dead: false,
      log: ctx.log,
      signal: ctx.signal,
    });
  },
});
