/** From the words of a command line to an exit code. */
import { type AnyCommand, type CommandSource, list } from '../commands/command.ts';
import { detectKind, type SectionKind } from '../config/load-config.ts';
import { printSampleIni } from '../config/sample-ini.ts';
import { packageVersion } from '../db/migrate/package-root.ts';
import { errorLine, errorStack, exitCodeOf } from '../errors/error-line.ts';
import { daemonChild } from '../runtime/daemonize.ts';
import { armFailpoint } from '../runtime/failpoint.ts';
import type { ProgramIo } from './io.ts';
import { parseOverrides } from './overrides.ts';
import { type ParsedWords, parseWords } from './program.ts';
import { requestedSignal, sendRequestedSignal } from './send-signal.ts';
import { type SortedWords, sortWords } from './words.ts';

const VERSION = /^(-V|--version)$/;

/**
 * Run the program.
 * @param argv words after `kaja`
 * @param source the registry
 * @returns exit code; every failure has been printed as one line
 */
export async function runProgram(
  argv: readonly string[],
  source: CommandSource,
  io: ProgramIo,
): Promise<number> {
  const child = daemonChild();
  try {
    armFailpoint(io.env.KAJA_FAILPOINT);
    const { sorted, commands } = await sortAndLoad(withoutHelpWord(argv), source);
    const parsed = parseWords(sorted.command, sorted.rest, commands);
    const done = answerAtOnce(sorted, parsed, commands, io);
    if (done !== undefined) return done;
    if (sorted.problem) throw sorted.problem;
    if (!sorted.command) return 0;
    const { launch } = await import('./launch.ts');
    return await launch({
      command: sorted.command,
      ini: sorted.ini,
      args: parsed.args,
      options: parsed.options,
      overrides: parseOverrides(list(parsed.options, 'set')),
      verbosity: verbosityOf(parsed.options),
      io,
      child,
    });
  } catch (error) {
    io.stderr.write(`kaja: ${errorLine(error)}\n`);
    if (argv.some((word) => /^(-v+|--verbose)$/.test(word))) io.stderr.write(`${errorStack(error)}\n`);
    const code = exitCodeOf(error);
    child?.failed(errorLine(error), code);
    return code;
  }
}

/*
 * Which word is the command, and which the value of an option, is known when the options of that command are: so every command
 * with a name among the words is loaded. Where none of them is meant, help and advice on misspelt names need all.
 */
async function sortAndLoad(
  words: readonly string[],
  source: CommandSource,
): Promise<{ sorted: SortedWords; commands: readonly AnyCommand[] }> {
  const commands = await source.named(words);
  const sorted = sortWords(words, commands);
  if (sorted.command || words.every((word) => VERSION.test(word))) return { sorted, commands };
  const all = await source.all();
  return { sorted: sortWords(words, all), commands: all };
}

/* `kaja help add-table` */
const withoutHelpWord = (argv: readonly string[]): readonly string[] =>
  argv[0] === 'help' ? [...argv.slice(1), '--help'] : argv;

function verbosityOf(options: ParsedWords['options']): number {
  if (options.quiet === true) return -1;
  return typeof options.verbose === 'number' ? options.verbose : 0;
}

/** Options that need no command to run. */
function answerAtOnce(
  sorted: SortedWords,
  parsed: ParsedWords,
  commands: readonly AnyCommand[],
  io: ProgramIo,
): number | undefined {
  const { options } = parsed;
  if (parsed.help !== undefined) {
    // `kaja nonsense --help` deserves the reason, not the general help; `kaja --help` has no words at all.
    if (sorted.problem && !sorted.command && sorted.rest.some((word) => !word.startsWith('-')))
      throw sorted.problem;
    io.stdout.write(`${parsed.help}\n`);
    return 0;
  }
  if (options.version === true) {
    io.stdout.write(`kaja ${packageVersion()}\n`);
    return 0;
  }
  const overrides = parseOverrides(list(options, 'set'));
  if (options.ini === true) {
    io.stdout.write(printSampleIni(sampleKind(sorted), overrides));
    return 0;
  }
  const signal = requestedSignal(options);
  if (signal) {
    io.stderr.write(`${sendRequestedSignal(sorted.ini ?? iniAmong(parsed, commands), signal, overrides)}\n`);
    return 0;
  }
  return undefined;
}

/* Arguments, not all words: `kaja run -s --set pidfile=… a.ini` must not take the value of --set for a file. */
const iniAmong = (parsed: ParsedWords, commands: readonly AnyCommand[]): string | undefined =>
  parsed.args.find((word) => !commands.some((one) => one.name === word));

function sampleKind(sorted: SortedWords): SectionKind {
  if (sorted.command?.section !== undefined) return sorted.command.section;
  try {
    return sorted.ini === undefined ? 'londiste' : detectKind(sorted.ini);
  } catch {
    return 'londiste'; // the file that --ini shall make does not exist yet
  }
}
