/** What a command is: a row of the registry, and what it gets when it runs. */
import type { ConfigOf, SectionKind } from '../config/load-config.ts';
import type { Log } from '../log/logger.ts';

/** Value of a parsed option. */
export type OptionValue = string | boolean | number | readonly string[] | undefined;

/** Parsed options by camel-case name; `--no-x` gives `x: false`, absent it is `true`. Read them with `flag`, `text`, `list`. */
export type CommandOptions = Readonly<Record<string, OptionValue>>;

/** An option of a command, in commander's notation. */
export interface CommandOption {
  /** `--force`, `--dest-table <name>`, `--no-triggers`, `-n, --names-only`. */
  readonly flags: string;
  readonly help: string;
  /** May be given several times; read with `list`. */
  readonly repeat?: true;
}

/** Shows how far a long task is: a bar on a terminal, a line now and then otherwise. Always on stderr. */
export interface Progress {
  /**
   * @param done and `total` in the same unit; without total only the count is shown
   * @param unit when given, the rate and the remaining time are shown too
   */
  update(label: string, done: number, total?: number, unit?: string): void;
  /** Remove the bar, so that other lines can be printed. */
  clear(): void;
}

type ConfigFor<S extends SectionKind | undefined> = S extends SectionKind ? ConfigOf<S> : undefined;

/** Everything a command gets. Results go to `print…` (stdout), the course of things to `log` (stderr, logfile). */
export interface CommandContext<S extends SectionKind | undefined = SectionKind | undefined> {
  /** Configuration of the ini in front of the command; undefined for commands without a section. */
  readonly config: ConfigFor<S>;
  /** Read the ini again, with the same `--set`: for SIGHUP. Throws when it is wrong now. */
  reloadConfig(): ConfigFor<S>;
  readonly log: Log;
  readonly options: CommandOptions;
  /** `--set` pairs, for commands that load ini files themselves. */
  readonly overrides: ReadonlyMap<string, string>;
  /** Words after the command. */
  readonly args: readonly string[];
  /** Aborts at the first SIGINT or SIGTERM: finish what is in hand. */
  readonly signal: AbortSignal;
  /** Aborts at the second: drop what is in hand. */
  readonly killSignal: AbortSignal;
  /** Register what SIGHUP does; the logfile is reopened in any case. */
  onReload(hook: () => void): void;
  /** `--json` was given. */
  readonly json: boolean;
  /** Number of -v, negative for -q. */
  readonly verbosity: number;
  /** Print text and a line end to stdout. */
  print(text: string): void;
  /**
   * Print a table in Londiste's look, or, with --json, an array of objects. Zero rows print nothing (`[]` with --json).
   * @param title line above the table
   * @param header column names, also the names in JSON
   */
  printTable(title: string, header: readonly string[], rows: readonly (readonly unknown[])[]): void;
  /** Print a value as JSON; bigints become numbers where exact, else strings. */
  printJson(value: unknown): void;
  readonly progress: Progress;
  /** A daemon's command says: I am up. The parent of -d waits for this. */
  ready(): void;
}

/** A command. Export one per file src/commands/<verb>.ts with `defineCommand` and add it to registry.ts. */
export interface CommandDescriptor<S extends SectionKind | undefined = SectionKind | undefined> {
  readonly name: string;
  /** Arguments in commander's notation: `''`, `<table...>`, `<dsn> [file]`. */
  readonly args: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Text under the options in `kaja COMMAND --help`. */
  readonly details?: string;
  readonly options: readonly CommandOption[];
  /**
   * Section of the ini that is read before: `kaja CONFIG.ini COMMAND` or `kaja COMMAND CONFIG.ini`.
   * Undefined: no ini; all words after the command are arguments.
   */
  readonly section: S;
  /** Appended to the ini's pidfile, which is then held: `''` worker and ticker, `.admin`, `.repair`. Undefined: no pidfile. */
  readonly pidfileSuffix?: string | undefined;
  /** Runs until stopped: -d is allowed, and being stopped by a signal is success. */
  readonly daemon?: boolean;
  /** Not shown in the list of commands. */
  readonly hidden?: boolean;
  /**
   * Do it.
   * @returns exit code, nothing = 0
   * @throws KajaError and others: one line on stderr, exit code of the error
   */
  run(ctx: CommandContext<S>): Promise<number> | Promise<void>;
}

/** A command of any section, as the registry holds it. */
// biome-ignore lint/suspicious/noExplicitAny: the context is produced from the same descriptor, so S always fits
export type AnyCommand = CommandDescriptor<any>;

/** Where commands come from; what is not asked for need not be loaded. */
export interface CommandSource {
  /** All, in the order of `kaja --help`. */
  all(): Promise<readonly AnyCommand[]>;
  /** Those with one of these names; other words mean nothing. */
  named(words: readonly string[]): Promise<readonly AnyCommand[]>;
}

/** Commands that are loaded already. */
export const listedCommands = (commands: readonly AnyCommand[]): CommandSource => ({
  all: async () => commands,
  named: async (words) => commands.filter((one) => words.includes(one.name)),
});

/** Type a descriptor: `run` gets the configuration of its `section`. */
export const defineCommand = <S extends SectionKind | undefined>(
  descriptor: CommandDescriptor<S>,
): CommandDescriptor<S> => descriptor;

/** Was this switch given? */
export const flag = (options: CommandOptions, name: string): boolean => options[name] === true;

/** Value of an option that takes one; undefined when absent. */
export function text(options: CommandOptions, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

/** Values of a repeatable option; empty when absent. */
export function list(options: CommandOptions, name: string): readonly string[] {
  const value = options[name];
  return Array.isArray(value) ? (value as readonly string[]) : typeof value === 'string' ? [value] : [];
}
