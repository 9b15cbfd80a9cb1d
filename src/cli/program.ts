/** The commander side: parses one command's words, prints help. */
import { Command, CommanderError, Option } from 'commander';
import type { AnyCommand, CommandOption, CommandOptions, OptionValue } from '../commands/command.ts';
import { UsageError } from '../errors/kaja-error.ts';
import { GLOBAL_OPTIONS } from './global-options.ts';

const GRAMMAR = 'kaja [options] CONFIG.ini COMMAND [args]';

/** A parsed command line. */
export interface ParsedWords {
  readonly options: CommandOptions;
  readonly args: readonly string[];
  /** `--help` was given: print this, do nothing else. */
  readonly help: string | undefined;
}

function toOption(spec: CommandOption, heading: string): Option {
  const option = new Option(spec.flags, spec.help).helpGroup(heading);
  if (spec.repeat) {
    option.argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value]);
  }
  if (spec.flags.includes('--verbose'))
    option.argParser((_: unknown, before: number | undefined) => (before ?? 0) + 1);
  return option;
}

function bare(name: string): Command {
  return new Command(name)
    .exitOverride()
    .configureOutput({ writeOut: () => {}, writeErr: () => {} })
    .configureHelp({ helpWidth: process.stdout.columns ?? 100 })
    .helpOption(false)
    .allowExcessArguments(false);
}

function withGlobals(command: Command): Command {
  for (const spec of GLOBAL_OPTIONS) command.addOption(toOption(spec, 'Global options:'));
  return command.addOption(new Option('-h, --help', 'print help').helpGroup('Global options:'));
}

/** The commander command of one descriptor. */
export function buildCommand(descriptor: AnyCommand): Command {
  const command = bare(descriptor.name).summary(descriptor.summary).description(descriptor.summary);
  const front =
    descriptor.section === undefined ? `kaja ${descriptor.name}` : `kaja CONFIG.ini ${descriptor.name}`;
  const parts = [descriptor.options.length > 0 ? '[options]' : '', descriptor.args].filter(
    (part) => part !== '',
  );
  command.name(front).usage(parts.join(' '));
  for (const argument of descriptor.args.split(' ').filter((word) => word !== '')) command.argument(argument);
  for (const spec of descriptor.options) command.addOption(toOption(spec, 'Options:'));
  withGlobals(command);
  if (descriptor.details) command.addHelpText('after', `\n${descriptor.details}`);
  return command;
}

/** The whole tree, for `kaja --help`. */
export function buildProgram(commands: readonly AnyCommand[]): Command {
  const program = withGlobals(bare('kaja')).usage(GRAMMAR.slice('kaja '.length)).helpCommand(false);
  program.description('Trigger-and-queue replication for PostgreSQL.');
  for (const descriptor of commands) {
    if (descriptor.hidden) continue;
    const line = bare(descriptor.name).summary(descriptor.summary).helpOption(false);
    for (const argument of descriptor.args.split(' ').filter((word) => word !== '')) line.argument(argument);
    program.addCommand(line);
  }
  program.configureHelp({ helpWidth: process.stdout.columns ?? 100, subcommandTerm: termOf });
  program.addHelpText('after', '\nkaja COMMAND --help tells about one command.');
  return program;
}

const termOf = (command: Command): string =>
  [
    command.name(),
    ...command.registeredArguments.map((one) =>
      one.required
        ? `<${one.name()}${one.variadic ? '...' : ''}>`
        : `[${one.name()}${one.variadic ? '...' : ''}]`,
    ),
  ].join(' ');

function helpText(command: Command): string {
  let text = '';
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
    getOutHelpWidth: () => process.stdout.columns ?? 100,
  });
  command.outputHelp();
  return text.trimEnd();
}

/**
 * Parse the words of a command, or of none (`kaja --version`).
 * @param rest words without ini and command
 * @throws UsageError for unknown options, missing or too many arguments
 */
export function parseWords(
  descriptor: AnyCommand | undefined,
  rest: readonly string[],
  commands: readonly AnyCommand[],
): ParsedWords {
  const command = descriptor ? buildCommand(descriptor) : withGlobals(bare('kaja')).argument('[words...]');
  const end = rest.indexOf('--');
  const before = end < 0 ? rest : rest.slice(0, end);
  if (before.some((word) => word === '--help' || /^-[a-zA-Z]*h$/.test(word))) {
    return { options: {}, args: [], help: helpText(descriptor ? command : buildProgram(commands)) };
  }
  try {
    command.parse([...rest], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) throw usageFrom(error, descriptor);
    throw error;
  }
  return { options: command.opts<Record<string, OptionValue>>(), args: command.args, help: undefined };
}

function usageFrom(error: CommanderError, descriptor: AnyCommand | undefined): UsageError {
  const message = error.message.replace(/^error: /, '');
  const suggestion = /\n?\(Did you mean (.*)\?\)/.exec(message);
  const where = descriptor ? `kaja ${descriptor.name} --help` : 'kaja --help';
  return new UsageError(message.replace(suggestion?.[0] ?? '', '').replaceAll('\n', ' '), {
    hint: suggestion ? `did you mean ${suggestion[1]}?` : `see ${where}`,
  });
}
