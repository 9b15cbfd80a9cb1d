/** `kaja CONFIG.ini resume`: let the paused worker of this node go on. */
import { defineCommand } from './command.ts';
import { PAUSE_OPTIONS, runPause } from './pause.ts';

/** Clears the flag and waits for the worker. */
export const resume = defineCommand({
  name: 'resume',
  args: '',
  summary: 'let the worker of this node go on',
  options: PAUSE_OPTIONS,
  section: 'londiste',
  pidfileSuffix: '.admin',
  run: (ctx) => runPause(ctx, false),
});
