/** `kaja CONFIG.ini wait-provider`: wait until this node has what its provider has now. */
import { defineCommand } from './command.ts';
import { runWait, WAIT_OPTIONS } from './wait-root.ts';

/** As wait-root; falls back to the provider's newest tick when the root is not reachable. */
export const waitProvider = defineCommand({
  name: 'wait-provider',
  args: '',
  summary: 'wait until this node has everything its provider has now',
  options: WAIT_OPTIONS,
  section: 'londiste',
  run: (ctx) => runWait(ctx, 'provider'),
});
