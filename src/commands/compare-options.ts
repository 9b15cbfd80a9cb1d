/** What compare and repair have in common on the command line. */
import type { CompareSettings } from '../compare/compare-context.ts';
import { remoteLocation } from '../config/remote-nodes.ts';
import { UsageError } from '../errors/kaja-error.ts';
import { type CommandContext, type CommandOption, flag, text } from './command.ts';

/** `--wait`. */
export const WAIT: CommandOption = {
  flags: '--wait <seconds>',
  help: 'longest wait for the worker; default lock_timeout, 0 = as long as it takes',
};

/**
 * Value of a numeric option.
 * @throws UsageError for anything but a number that is not negative
 */
export function numberOption(ctx: Pick<CommandContext, 'options'>, name: string): number | undefined {
  const given = text(ctx.options, name);
  if (given === undefined) return undefined;
  if (!/^\d+(\.\d+)?$/.test(given)) throw new UsageError(`--${name} ${given} is not a number`);
  return Number(given);
}

/** Settings out of the ini and the options. */
export function compareSettings(ctx: CommandContext<'londiste'>): CompareSettings {
  const { config } = ctx;
  const wait = numberOption(ctx, 'wait');
  return {
    location: config.db,
    queue: config.queueName,
    consumer: config.consumerName,
    remote: (location) => remoteLocation(location, config.remoteExtraConnstr),
    waitMs: wait === undefined ? config.lockTimeoutMs : wait * 1000,
    jobs: config.copyJobs,
    exact: flag(ctx.options, 'exact'),
    applyRole: config.applyRole,
    log: ctx.log,
    signal: ctx.signal,
    onProgress: (label, done, total) => ctx.progress.update(label, done, total),
  };
}
