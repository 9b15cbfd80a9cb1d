/** `kaja CONFIG.ini status`: how all nodes of the set fare. */
import { formatStatus } from '../cascade/format-status.ts';
import { nodeSettings } from '../cascade/node-settings.ts';
import { readSetReport } from '../cascade/set-report.ts';
import { setToJson } from '../cascade/status-json.ts';
import { defineCommand, flag } from './command.ts';

/** Asks every member in parallel; those that do not answer are shown as dead. */
export const status = defineCommand({
  name: 'status',
  args: '',
  summary: 'show the nodes of the set as a tree: tables, lag, errors',
  details:
    'Tables: ok/being copied/not attached. Lag: age of the newest tick (root), or of the last tick the node has finished\n' +
    '(others), by the clock of the root; (n/a) when it is not known. Nodes that do not answer within 3 s are shown as dead.',
  options: [{ flags: '--compact', help: 'one line per node' }],
  section: 'londiste',
  async run(ctx) {
    const set = await readSetReport(nodeSettings(ctx.config), ctx.signal);
    if (ctx.json) {
      ctx.printJson(setToJson(set));
      return;
    }
    const colours = process.stdout.isTTY === true && !process.env.NO_COLOR;
    ctx.print(formatStatus(set, { compact: flag(ctx.options, 'compact'), colours }));
  },
});
