/** Sorts the words of a command line: which is the ini, which the command, what is left for the command. */
import { existsSync } from 'node:fs';
import type { AnyCommand } from '../commands/command.ts';
import { UsageError } from '../errors/kaja-error.ts';
import { nearestWord } from '../errors/nearest.ts';
import { GLOBAL_OPTIONS } from './global-options.ts';

/** A sorted command line. */
export interface SortedWords {
  readonly command: AnyCommand | undefined;
  /** Path of the ini; undefined when none was given. */
  readonly ini: string | undefined;
  /** Options and arguments in their order, without the ini and the command, long prefixes completed. */
  readonly rest: readonly string[];
  /** Why there is no command, when none was found; thrown unless an option such as --version makes it unnecessary. */
  readonly problem: UsageError | undefined;
}

/** Do the flags of an option, `-x, --long <value>`, ask for a value? */
const takesValue = (flags: string): boolean => flags.includes('<');
const namesOf = (flags: string): string[] => flags.split(/[ ,]+/).filter((word) => word.startsWith('-'));

type Arity = Map<string, boolean>;

function arityOf(lists: readonly (readonly { readonly flags: string }[])[]): Arity {
  const arity: Arity = new Map([
    ['-h', false],
    ['--help', false],
  ]);
  for (const { flags } of lists.flat()) {
    for (const name of namesOf(flags)) arity.set(name, takesValue(flags) || arity.get(name) === true);
  }
  return arity;
}

/** Positions of the words that are neither options nor their values. */
function plainWords(argv: readonly string[], arity: Arity): number[] {
  const found: number[] = [];
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? '';
    if (word === '--') {
      for (let left = at + 1; left < argv.length; left++) found.push(left);
      break;
    }
    if (!word.startsWith('-') || word === '-') found.push(at);
    else if (asksForNext(word, arity)) at++;
  }
  return found;
}

function asksForNext(word: string, arity: Arity): boolean {
  if (word.startsWith('--')) return !word.includes('=') && arity.get(completeLong(word, arity)) === true;
  // A group of switches: only the last letter may take the next word.
  return arity.get(`-${word.slice(-1)}`) === true;
}

/** `--wait` → `--wait-sync` when only one option starts so. */
function completeLong(word: string, arity: Arity): string {
  const [name = word] = word.split('=', 1);
  if (arity.has(name)) return word;
  const fits = [...arity.keys()].filter((one) => one.startsWith(name));
  return fits.length === 1 && name.length > 2 ? `${fits[0]}${word.slice(name.length)}` : word;
}

/** Find a command by name. */
export function findCommand(
  name: string | undefined,
  commands: readonly AnyCommand[],
): AnyCommand | undefined {
  return commands.find((one) => one.name === name);
}

const looksLikeIni = (word: string | undefined): boolean =>
  word !== undefined && (/\.(ini|conf|cfg)$/.test(word) || existsSync(word));

/**
 * Sort the words. `kaja CONFIG.ini COMMAND …` and `kaja COMMAND CONFIG.ini …` mean the same; options stand anywhere.
 * @param argv words after `kaja`
 */
export function sortWords(argv: readonly string[], commands: readonly AnyCommand[]): SortedWords {
  const everything = arityOf([GLOBAL_OPTIONS, ...commands.map((one) => one.options)]);
  const positions = plainWords(argv, everything);
  const words = positions.map((at) => argv[at] ?? '');
  const { command, iniIndex, commandIndex, problem } = choose(words, commands);
  const drop = new Set(
    [iniIndex, commandIndex].filter((index) => index !== undefined).map((index) => positions[index]),
  );
  const own = arityOf([GLOBAL_OPTIONS, command?.options ?? []]);
  const end = argv.indexOf('--');
  const rest = argv
    .map((word, at) =>
      word.startsWith('--') && word !== '--' && (end < 0 || at < end) ? completeLong(word, own) : word,
    )
    .filter((_, at) => !drop.has(at));
  return { command, ini: iniIndex === undefined ? undefined : words[iniIndex], rest, problem };
}

interface Choice {
  command?: AnyCommand | undefined;
  iniIndex?: number;
  commandIndex?: number;
  problem?: UsageError;
}

function choose(words: readonly string[], commands: readonly AnyCommand[]): Choice {
  const [first, second] = words;
  if (first === undefined)
    return { problem: new UsageError('need config file and command', { hint: 'use --help for help' }) };
  const leading = findCommand(first, commands);
  const following = findCommand(second, commands);
  if (leading && !(following && looksLikeIni(first) && !looksLikeIni(second))) {
    if (leading.section === undefined) return { command: leading, commandIndex: 0 };
    if (looksLikeIni(second)) return { command: leading, commandIndex: 0, iniIndex: 1 };
    return {
      command: leading,
      commandIndex: 0,
      problem: new UsageError(`need config file: kaja CONFIG.ini ${leading.name}`),
    };
  }
  if (following) {
    // A command without an ini of its own takes the file as its first argument: `kaja a.ini doctor`.
    return following.section === undefined
      ? { command: following, commandIndex: 1 }
      : { command: following, iniIndex: 0, commandIndex: 1 };
  }
  if (!looksLikeIni(first) && !first.includes('/')) return { problem: unknownCommand(first, commands) };
  if (second === undefined)
    return { iniIndex: 0, problem: new UsageError('need command', { hint: 'use --help for help' }) };
  return { iniIndex: 0, commandIndex: 1, problem: unknownCommand(second, commands) };
}

/** Londiste's commands that may be missing here; a similar name would be bad advice. */
const OF_LONDISTE = new Set([
  'change-provider',
  'takeover',
  'rename-node',
  'resurrect',
  'execute',
  'check',
  'fkeys',
  'copy',
]);

function unknownCommand(name: string, commands: readonly AnyCommand[]): UsageError {
  if (OF_LONDISTE.has(name))
    return new UsageError(`${name} is not in this version`, { hint: 'use --help for help' });
  const near = nearestWord(
    name,
    commands.map((one) => one.name),
  );
  return new UsageError(`unknown command '${name}'`, {
    hint: near ? `did you mean ${near}?` : 'use --help for help',
  });
}
