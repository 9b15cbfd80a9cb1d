/** `kaja CONFIG.ini node-status`: how the local node fares. */
import { nodeSettings } from '../cascade/node-settings.ts';
import { formatNodeStatus } from '../cascade/node-text.ts';
import { readLocalReport } from '../cascade/set-report.ts';
import { memberToJson } from '../cascade/status-json.ts';
import { defineCommand } from './command.ts';

/** Asks the local node, and the root for the age of its tick. */
export const nodeStatus = defineCommand({
  name: 'node-status',
  args: '',
  summary: 'show how this node fares: tables, lag, errors',
  options: [],
  section: 'londiste',
  async run(ctx) {
    const report = await readLocalReport(nodeSettings(ctx.config), ctx.signal);
    if (ctx.json) ctx.printJson(memberToJson(report));
    else ctx.print(formatNodeStatus(report));
  },
});
