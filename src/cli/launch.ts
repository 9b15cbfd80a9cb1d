/** Runs one command: log, background, pidfile, signals, context, failure. */
import type { AnyCommand, CommandContext } from '../commands/command.ts';
import {
  type LondisteConfig,
  loadConfig,
  type SectionKind,
  type TickerConfig,
} from '../config/load-config.ts';
import { logSettings } from '../config/log-settings.ts';
import { errorLine, errorStack } from '../errors/error-line.ts';
import { ConfigError, UsageError } from '../errors/kaja-error.ts';
import { isAbort } from '../errors/retry-policy.ts';
import { createLog, type Log } from '../log/logger.ts';
import { type DaemonChild, startDaemon } from '../runtime/daemonize.ts';
import { checkPidfile, claimPidfile, type Pidfile } from '../runtime/pidfile.ts';
import { installStopSignals, type StopSignals } from '../runtime/stop-signals.ts';
import { failureExitCode } from './exit-code.ts';
import type { ProgramIo } from './io.ts';
import { formatTable, tableToObjects, toJson } from './output.ts';
import { createProgress } from './progress.ts';

/** A command with everything the command line said about it. */
export interface Launch {
  readonly command: AnyCommand;
  readonly ini: string | undefined;
  readonly args: readonly string[];
  readonly options: CommandContext['options'];
  readonly overrides: ReadonlyMap<string, string>;
  readonly verbosity: number;
  readonly io: ProgramIo;
  /** Set when this process is the background half of -d. */
  readonly child: DaemonChild | undefined;
}

/**
 * Run it.
 * @returns exit code; failures after the log exists are logged, not thrown
 * @throws ConfigError and UsageError before
 */
export async function launch(request: Launch): Promise<number> {
  const { command, io, child, options } = request;
  const config = readConfig(request);
  const pidfilePath = pidfileOf(request, config);
  if (options.daemon === true && !child) return startInBackground(request, config, pidfilePath);

  const progress = createProgress(io.stderr, request.verbosity >= 0 && !child);
  const sink = {
    write: (text: string) => {
      progress.clear();
      io.stderr.write(text);
    },
    colours: io.stderr.isTTY === true && !io.env.NO_COLOR,
  };
  const handle = createLog(logSettings(config, request.verbosity, child ? undefined : sink));
  const { log } = handle;
  let pidfile: Pidfile | undefined;
  const signals = installStopSignals({
    onStop: (signal, count) => {
      log[count === 1 ? 'debug' : 'warn'](
        count === 1 ? `got ${signal}, stopping` : `got ${signal} again, fast exit`,
      );
      if (count > 1) io.onKill(signal);
    },
  });
  // Only what stays has something to read again; for the rest SIGHUP means that the terminal is gone.
  signals.onReload(() => (command.daemon ? handle.reopen() : signals.requestStop('SIGHUP')));
  try {
    if (pidfilePath) pidfile = claimPidfile(pidfilePath, (text) => log.warn(text));
    const ctx = createContext(request, config, { log, signals, progress });
    const code = await command.run(ctx);
    progress.clear();
    child?.ready();
    return typeof code === 'number' ? code : 0;
  } catch (error) {
    progress.clear();
    const code = failureExitCode(error, signals.received, command.daemon === true);
    if (!(signals.received && isAbort(error))) log.error(lineFor(command, error));
    if (log.isLevelEnabled('debug')) log.debug(errorStack(error));
    child?.failed(lineFor(command, error), code);
    return code;
  } finally {
    pidfile?.release();
    signals.dispose();
    handle.close();
  }
}

/* The general advice about a wrong command line leads to the help of the command, where its options stand. */
const lineFor = (command: AnyCommand, error: unknown): string =>
  errorLine(error).replace(/; see kaja --help$/, `; see kaja ${command.name} --help`);

type Config = LondisteConfig | TickerConfig | undefined;

function readConfig(request: Launch): Config {
  const section: SectionKind | undefined = request.command.section;
  if (section === undefined || request.ini === undefined) return undefined;
  return loadConfig({ path: request.ini, kind: section, overrides: request.overrides });
}

/* `kaja run` reads several ini files; its own pidfile and logfile come from --set. */
const processKey = (request: Launch, config: Config, key: 'pidfile' | 'logfile'): string =>
  config ? config[key] : (request.overrides.get(key) ?? '');

function pidfileOf({ command, ...rest }: Launch, config: Config): string {
  if (command.pidfileSuffix === undefined) return '';
  const path = processKey({ command, ...rest }, config, 'pidfile');
  return path ? `${path}${command.pidfileSuffix}` : '';
}

async function startInBackground(request: Launch, config: Config, pidfilePath: string): Promise<number> {
  const { command, io } = request;
  if (!command.daemon)
    throw new UsageError(`${command.name} does not run in the background`, { hint: 'leave -d out' });
  const where = config ? `set it in [${config.section}] of ${request.ini}:` : 'give --set';
  if (!pidfilePath) throw new ConfigError('Daemon needs pidfile', { hint: `${where} pidfile = …` });
  if (!processKey(request, config, 'logfile'))
    throw new ConfigError('Daemon needs logfile', { hint: `${where} logfile = …` });
  checkPidfile(pidfilePath, (text) => io.stderr.write(`kaja: ${text}\n`));
  const started = await startDaemon();
  if (!started.up) {
    io.stderr.write(
      `kaja: process ${started.pid} is alive but not up yet; see ${processKey(request, config, 'logfile')}\n`,
    );
  }
  return 0;
}

interface Parts {
  readonly log: Log;
  readonly signals: StopSignals;
  readonly progress: CommandContext['progress'];
}

function createContext(
  request: Launch,
  config: Config,
  { log, signals, progress }: Parts,
): CommandContext<SectionKind | undefined> {
  const { io, options } = request;
  const json = options.json === true;
  const write = (text: string): void => {
    progress.clear();
    io.stdout.write(text);
  };
  const printJson = (value: unknown): void => write(`${toJson(value, 2)}\n`);
  return {
    config,
    reloadConfig: () => readConfig(request),
    log,
    options,
    overrides: request.overrides,
    args: request.args,
    signal: signals.stop,
    killSignal: signals.kill,
    onReload: (hook) => signals.onReload(hook),
    json,
    verbosity: request.verbosity,
    print: (text) => write(`${text}\n`),
    printTable: (title, header, rows) => {
      if (json) printJson(tableToObjects(header, rows));
      else write(formatTable(title, header, rows));
    },
    printJson,
    progress,
    ready: () => request.child?.ready(),
  };
}
