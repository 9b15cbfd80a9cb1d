/** Options and arguments that several commands about nodes share. */

import type { CreateRequest } from '../cascade/create-node.ts';
import { nodeSettings } from '../cascade/node-settings.ts';
import { UsageError } from '../errors/kaja-error.ts';
import { type CommandContext, type CommandOption, flag, text } from './command.ts';

/** `--nocheck`. */
export const NOCHECK: CommandOption = {
  flags: '--nocheck',
  help: 'do not check that the public connect string leads to this database',
};

/** `--timeout` of commands that wait. */
export const timeoutOption = (help: string): CommandOption => ({ flags: '--timeout <seconds>', help });

/**
 * Value of `--timeout`.
 * @param fallbackSeconds when it is not given
 * @returns milliseconds
 * @throws UsageError for anything but a number of seconds
 */
export function timeoutMs(ctx: Pick<CommandContext, 'options'>, fallbackSeconds: number): number {
  const given = text(ctx.options, 'timeout');
  if (given === undefined) return fallbackSeconds * 1000;
  if (!/^\d+(\.\d+)?$/.test(given)) throw new UsageError(`--timeout ${given} is not a number of seconds`);
  return Math.round(Number(given) * 1000);
}

/**
 * Arguments of create-*: name and public connect string, from the command line or the ini.
 * @throws UsageError when one is missing
 */
export function createRequest(ctx: CommandContext<'londiste'>): CreateRequest {
  const { config, args } = ctx;
  const name = args[0] ?? config.nodeName;
  const publicLocation = args[1] ?? config.publicNodeLocation;
  if (name === '') {
    throw new UsageError('Node name must be given either in command line or config', {
      hint: 'set node_name, or give it as argument',
    });
  }
  if (publicLocation === '') {
    throw new UsageError('Node public location must be given either in command line or config', {
      hint: 'set public_node_location, or give it after the name',
    });
  }
  return {
    settings: nodeSettings(config),
    name,
    publicLocation,
    check: !flag(ctx.options, 'nocheck'),
    log: ctx.log,
    signal: ctx.signal,
  };
}
