/** What compare and repair have in common on the command line. */
import type { CompareSettings } from '../compare/compare-context.ts';
import { remoteLocation } from '../config/remote-nodes.ts';
import { UsageError } from '../errors/kaja-error.ts';
import { type CommandContext, type CommandOption, flag, text } from './command.ts';

/** Options of both. */
export const COMMON: readonly CommandOption[] = [
  {
    flags: '--wait [seconds]',
    help: 'wait for the worker, also one that does not run; default lock_timeout, without a number or 0 = as long as it takes',
  },
  {
    flags: '--exact',
    help: 'values are equal only if their texts are: 1.0 is not 1.00, -0 is not 0',
  },
  { flags: '--jobs <n>', help: 'parallel ranges of a table on each side; default copy_jobs' },
  { flags: '--pause <seconds>', help: 'pause after each range of 16 MB' },
  {
    flags: '--max-load <n>',
    help: 'begin a range only while at most this many other sessions are busy in the database',
  },
  { flags: '--statement-timeout <seconds>', help: 'longest time of one reading statement' },
  {
    flags: '--source <node>',
    help: 'compare with this node of the set, whose worker is held too, or with the hot standby of the root that this connection string leads to; default is the root',
  },
  { flags: '--lock', help: "Londiste's way: lock the provider's table against writes for the moment" },
];

/**
 * Value of a numeric option.
 * @param name camel-case
 * @throws UsageError for anything but a number that is not negative
 */
export function numberOption(ctx: Pick<CommandContext, 'options'>, name: string): number | undefined {
  const given = text(ctx.options, name);
  if (given === undefined) return undefined;
  if (!/^\d+(\.\d+)?$/.test(given))
    throw new UsageError(
      `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} ${given} is not a number`,
    );
  return Number(given);
}

/** As `numberOption`, whole and at least 1. */
export function countOption(ctx: Pick<CommandContext, 'options'>, name: string): number | undefined {
  const given = numberOption(ctx, name);
  if (given !== undefined && (given < 1 || !Number.isSafeInteger(given)))
    throw new UsageError(`--${name} needs a whole number of at least 1`);
  return given;
}

const IS_NUMBER = /^\d+(\.\d+)?$/;

/** The tables of the command line: `--wait` without a number may have swallowed the first. */
export function tableWords(ctx: Pick<CommandContext, 'options' | 'args'>): readonly string[] {
  const wait = text(ctx.options, 'wait');
  return wait === undefined || IS_NUMBER.test(wait) ? ctx.args : [wait, ...ctx.args];
}

/** Who runs this process: a person has a terminal, system cron has none. */
export const startedBy = (): 'hand' | 'cron' =>
  process.stdin.isTTY === true || process.stderr.isTTY === true ? 'hand' : 'cron';

/** Settings out of the ini and the options. */
export function compareSettings(ctx: CommandContext<'londiste'>): CompareSettings {
  const { config } = ctx;
  const wait = ctx.options.wait;
  const seconds = (name: string): number => (numberOption(ctx, name) ?? 0) * 1000;
  const waitMs = typeof wait === 'string' && IS_NUMBER.test(wait) ? Number(wait) * 1000 : 0;
  return {
    location: config.db,
    queue: config.queueName,
    consumer: config.consumerName,
    remote: (location) => remoteLocation(location, config.remoteExtraConnstr),
    waitMs: wait === undefined ? config.lockTimeoutMs : waitMs,
    waitForStart: wait !== undefined,
    lockTimeoutMs: config.lockTimeoutMs,
    lock: flag(ctx.options, 'lock'),
    source: text(ctx.options, 'source') ?? null,
    jobs: countOption(ctx, 'jobs') ?? config.copyJobs,
    exact: flag(ctx.options, 'exact'),
    limits: {
      pauseMs: seconds('pause'),
      maxLoad: numberOption(ctx, 'maxLoad') ?? null,
      statementTimeoutMs: Math.round(seconds('statementTimeout')),
    },
    applyRole: config.applyRole,
    log: ctx.log,
    signal: ctx.signal,
    startedBy: startedBy(),
    onProgress: (label, done, total, unit) => ctx.progress.update(label, done, total, unit),
  };
}
