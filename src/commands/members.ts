/** `kaja CONFIG.ini members`: who belongs to the set. */
import { needNodeInfo, readMembers } from '../cascade/node-info.ts';
import { nodeSettings } from '../cascade/node-settings.ts';
import { openHere } from '../cascade/open-node.ts';
import { redactLocation } from '../config/connection-string.ts';
import { defineCommand } from './command.ts';

/** Reads the local node only; passwords are hidden. */
export const members = defineCommand({
  name: 'members',
  args: '',
  summary: 'show the members of the set',
  options: [],
  section: 'londiste',
  async run(ctx) {
    const settings = nodeSettings(ctx.config);
    await using session = await openHere(settings, ctx.signal);
    const info = await needNodeInfo(session, settings.queue);
    const rows = await readMembers(session, settings.queue);
    ctx.printTable(
      `Member info on ${info.name}@${settings.queue}:`,
      ['node_name', 'dead', 'node_location'],
      rows.map((one) => [one.name, one.dead, redactLocation(one.location)]),
    );
  },
});
