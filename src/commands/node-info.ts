/** `kaja CONFIG.ini node-info`: what the local node is. */
import { needNodeInfo, readMembers } from '../cascade/node-info.ts';
import { nodeSettings } from '../cascade/node-settings.ts';
import { formatNodeInfo, nodeFlags } from '../cascade/node-text.ts';
import { openHere } from '../cascade/open-node.ts';
import { redactLocation } from '../config/connection-string.ts';
import { defineCommand } from './command.ts';

/** Reads the local node only; passwords are hidden. */
export const nodeInfo = defineCommand({
  name: 'node-info',
  args: '',
  summary: 'show what this node is: type, state, connect strings',
  options: [],
  section: 'londiste',
  async run(ctx) {
    const settings = nodeSettings(ctx.config);
    await using session = await openHere(settings, ctx.signal);
    const info = await needNodeInfo(session, settings.queue);
    const member = (await readMembers(session, settings.queue)).find((one) => one.name === info.name);
    if (!ctx.json) {
      ctx.print(formatNodeInfo(settings.queue, info, member, settings.location));
      return;
    }
    const isRoot = info.type === 'root';
    ctx.printJson({
      node: info.name,
      type: info.type,
      queue: settings.queue,
      status: nodeFlags(info, member),
      provider: isRoot ? null : info.providerNode,
      worker: info.workerName,
      tick: info.lastTick,
      locations: {
        local: redactLocation(settings.location),
        public: member ? redactLocation(member.location) : null,
        provider: isRoot ? null : redactLocation(info.providerLocation),
      },
      combined_queue: info.combinedQueue,
    });
  },
});
