/** `kaja CONFIG.ini pause` and `resume`: stop the local worker after its batch, let it go on. */
import { nodeSettings } from '../cascade/node-settings.ts';
import { setPaused } from '../cascade/pause-node.ts';
import { type CommandContext, defineCommand } from './command.ts';
import { timeoutMs, timeoutOption } from './node-options.ts';

/** Seconds to wait for the worker's answer. */
const DEFAULT_TIMEOUT_SECONDS = 30;

const TIMEOUT = timeoutOption(
  `wait this long for the worker to answer (default ${DEFAULT_TIMEOUT_SECONDS}); 0: do not wait`,
);

/** Shared by both directions. */
export async function runPause(ctx: CommandContext<'londiste'>, paused: boolean): Promise<void> {
  await setPaused({
    settings: nodeSettings(ctx.config),
    paused,
    timeoutMs: timeoutMs(ctx, DEFAULT_TIMEOUT_SECONDS),
    log: ctx.log,
    signal: ctx.signal,
  });
}

/** Options of both directions. */
export const PAUSE_OPTIONS = [TIMEOUT] as const;

/** Sets the flag and waits for the worker. */
export const pause = defineCommand({
  name: 'pause',
  args: '',
  summary: 'stop the worker of this node after its batch',
  options: PAUSE_OPTIONS,
  section: 'londiste',
  pidfileSuffix: '.admin',
  run: (ctx) => runPause(ctx, true),
});
