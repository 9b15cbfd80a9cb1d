/** `kaja CONFIG.ini wait-root`: wait until this node has what its root has now. */
import { nodeSettings } from '../cascade/node-settings.ts';
import { waitForTick } from '../cascade/wait-for-tick.ts';
import { type CommandContext, defineCommand } from './command.ts';
import { timeoutMs, timeoutOption } from './node-options.ts';

/** Shared with wait-provider. */
export async function runWait(ctx: CommandContext<'londiste'>, upTo: 'root' | 'provider'): Promise<void> {
  const reached = await waitForTick({
    settings: nodeSettings(ctx.config),
    upTo,
    timeoutMs: timeoutMs(ctx, 0),
    log: ctx.log,
    signal: ctx.signal,
  });
  if (ctx.json) ctx.printJson({ tick: reached ?? null });
}

/** Options of both. */
export const WAIT_OPTIONS = [timeoutOption('give up after this time (default 0: never)')] as const;

/** Forces a tick, so that an idle queue does not make it wait. */
export const waitRoot = defineCommand({
  name: 'wait-root',
  args: '',
  summary: 'wait until this node has everything its root has now',
  options: WAIT_OPTIONS,
  section: 'londiste',
  run: (ctx) => runWait(ctx, 'root'),
});
