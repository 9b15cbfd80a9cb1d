/** `kaja run`: all workers and tickers of several ini files in one process. */
import { resolve } from 'node:path';
import {
  detectKind,
  type LondisteConfig,
  loadConfig,
  OPTION_TABLES,
  type SectionKind,
  type TickerConfig,
} from '../config/load-config.ts';
import { logSettings } from '../config/log-settings.ts';
import { KajaError, UsageError } from '../errors/kaja-error.ts';
import { type JobSettings, jobSettings } from '../jobs/job-settings.ts';
import { JobScheduler, reloadJobs } from '../jobs/scheduler.ts';
import { createLog, type Log, type LogHandle, levelOf } from '../log/logger.ts';
import { createRootTicker } from '../queue/root-ticker.ts';
import { createTicker } from '../queue/ticker-service.ts';
import { tickerSettings } from '../queue/ticker-settings.ts';
import { claimPidfile, type Pidfile } from '../runtime/pidfile.ts';
import { createReloadable, type Reloadable } from '../runtime/reloadable.ts';
import type { Service } from '../runtime/service.ts';
import { supervise } from '../runtime/supervise.ts';
import { checkNode } from '../worker/check-node.ts';
import { createWorker } from '../worker/run-worker.ts';
import { type WorkerSettings, workerSettings } from '../worker/worker-settings.ts';
import { type CommandContext, defineCommand } from './command.ts';

/** Keys that `--set` gives to the process; all others go to the ini files that know them. */
const PROCESS_KEYS = new Set(['pidfile', 'logfile']);

type Config = LondisteConfig | TickerConfig;
type Context = CommandContext<undefined>;

export const run = defineCommand({
  name: 'run',
  args: '<ini...>',
  summary: 'run all workers and tickers of several ini files in one process',
  details:
    'Nodes and tickers are told apart by the section of the file. If no ticker is among them, the databases of roots are\n' +
    'ticked too. Each ini keeps its logfile, and its pidfile names this process. In the background: --set pidfile=… and\n' +
    '--set logfile=… are for the process.',
  section: undefined,
  pidfileSuffix: '',
  daemon: true,
  options: [],
  async run(ctx) {
    const configs = loadAll(ctx);
    const logs = new Logs(ctx);
    const pidfiles: Pidfile[] = [];
    try {
      const jobs = configs.map((config) => makeJob(ctx, config, logs.of(config)));
      const schedulers = configs.flatMap((config) =>
        config.kind === 'londiste' ? [makeScheduler(ctx, config, logs.of(config))] : [],
      );
      for (const config of configs) await checkBefore(config, ctx.signal);
      for (const path of new Set(configs.map((config) => config.pidfile))) {
        if (path) pidfiles.push(claimPidfile(path, (text) => ctx.log.warn(text)));
      }
      ctx.onReload(() => {
        logs.reopen();
        for (const job of [...jobs, ...schedulers]) job.reload();
      });
      const services = [...jobs, ...schedulers, ...rootTickers(configs, logs.own)];
      logs.own.info(`running ${configs.map((config) => config.jobName).join(', ')}`);
      ctx.ready();
      await supervise(services, { signal: ctx.signal, log: logs.own });
      logs.own.info('all stopped');
    } finally {
      for (const pidfile of pidfiles) pidfile.release();
      logs.close();
    }
  },
});

function loadAll(ctx: Context): Config[] {
  const paths = ctx.args.map((path) => resolve(path));
  const twice = paths.find((path, at) => paths.indexOf(path) !== at);
  if (twice !== undefined) throw new UsageError(`${twice} is given twice`);
  const kinds = ctx.args.map((path) => detectKind(path));
  for (const key of ctx.overrides.keys()) {
    if (!PROCESS_KEYS.has(key) && !kinds.some((kind) => Object.hasOwn(OPTION_TABLES[kind], key)))
      throw new UsageError(`--set: none of the files knows the key "${key}"`);
  }
  return ctx.args.map((path, at) => load(ctx, path, kinds[at] ?? 'londiste'));
}

function load(ctx: Context, path: string, kind: SectionKind): Config {
  return loadConfig({ path, kind, overrides: overridesOf(ctx, kind) }) as Config;
}

const overridesOf = (ctx: Context, kind: SectionKind): ReadonlyMap<string, string> =>
  new Map(
    [...ctx.overrides].filter(([key]) => !PROCESS_KEYS.has(key) && Object.hasOwn(OPTION_TABLES[kind], key)),
  );

/* Failures that only somebody's hand can cure are worth more before the start than in a log after it. */
async function checkBefore(config: Config, signal: AbortSignal): Promise<void> {
  if (config.kind !== 'londiste') return;
  try {
    await checkNode(workerSettings(config), signal);
  } catch (error) {
    if (!(error instanceof KajaError)) throw error;
    throw new KajaError(error.code, `${config.configFile}: ${error.message}`, {
      hint: error.hint ?? '',
      exitCode: error.exitCode,
      cause: error,
    });
  }
}

function makeJob(ctx: Context, config: Config, log: Log): Reloadable {
  const again = (): Config => load(ctx, config.configFile, config.kind);
  if (config.kind === 'ticker') {
    return createReloadable({
      name: config.jobName,
      initial: tickerSettings(config),
      read: () => tickerSettings(again() as TickerConfig),
      make: (settings) => createTicker(settings, log),
      log,
    });
  }
  return createReloadable({
    name: config.jobName,
    initial: steady(config),
    read: () => steady(again() as LondisteConfig),
    make: (settings) => createWorker(settings, log),
    log,
  });
}

function makeScheduler(ctx: Context, config: LondisteConfig, log: Log): Reloadable {
  const settings = (now: LondisteConfig): JobSettings => jobSettings(now, overridesOf(ctx, 'londiste'));
  const jobs = new JobScheduler(settings(config), log);
  return {
    name: jobs.name,
    run: (signal) => jobs.run(signal),
    reload: () =>
      reloadJobs(jobs, () => settings(load(ctx, config.configFile, 'londiste') as LondisteConfig)),
  };
}

/* loop_delay = 0 and below ask a worker of its own to end; here it stays, and polls now and then. */
function steady(config: LondisteConfig): WorkerSettings {
  const settings = workerSettings(config);
  return settings.loopDelayMs > 0 ? settings : { ...settings, loopDelayMs: 1000 };
}

function rootTickers(configs: readonly Config[], log: Log): Service[] {
  if (configs.some((config) => config.kind === 'ticker')) return [];
  const queues = new Map<string, string[]>();
  for (const config of configs) {
    if (config.kind === 'londiste')
      queues.set(config.db, [...(queues.get(config.db) ?? []), config.queueName]);
  }
  return [...queues].map(([location, names]) => createRootTicker(location, names, log));
}

/** One log per logfile; lines carry the name of their job. */
class Logs {
  readonly own: Log;
  readonly #ctx: Context;
  readonly #handles = new Map<string, LogHandle>();

  constructor(ctx: Context) {
    this.#ctx = ctx;
    const path = ctx.overrides.get('logfile');
    this.own = path
      ? this.#handle(path, () => ({
          level: levelOf(ctx.verbosity),
          file: { path, maxBytes: 10_485_760, keep: 3 },
        })).log
      : ctx.log;
  }

  of(config: Config): Log {
    const log = config.logfile
      ? this.#handle(config.logfile, () => logSettings(config, this.#ctx.verbosity, undefined)).log
      : this.own;
    return log.child({ job: config.jobName });
  }

  #handle(path: string, settings: () => Parameters<typeof createLog>[0]): LogHandle {
    const known = this.#handles.get(path);
    if (known) return known;
    // A daemon has no terminal to write to.
    const handle = createLog({ ...settings(), console: this.#ctx.options.daemon !== true });
    this.#handles.set(path, handle);
    return handle;
  }

  reopen(): void {
    for (const handle of this.#handles.values()) handle.reopen();
  }

  close(): void {
    for (const handle of this.#handles.values()) handle.close();
  }
}
