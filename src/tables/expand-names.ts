/** Turns the words of add-table, remove-table and their like into names. Pure. */

import { formatFqName, parseFqName } from '../db/names.ts';
import { UsageError } from '../errors/kaja-error.ts';
import { nearestWord } from '../errors/nearest.ts';

/** What is asked for, and what there is. */
export interface NameRequest {
  /** Names, or patterns with `*` and `?`; without a dot `public.` is meant. */
  readonly words: readonly string[];
  /** Everything that may be taken. */
  readonly all: boolean;
  /** Take unknown names too. */
  readonly force: boolean;
  /** `schema.name` of what may be taken. */
  readonly candidates: readonly string[];
  /** `schema.name` of what is there already (add) or not any more (remove). */
  readonly processed: readonly string[];
}

/** Names to work on, and what to tell about the others. */
export interface NameChoice {
  readonly names: readonly string[];
  readonly processed: readonly string[];
  /** Unknown names; those in `names` too when force was given. */
  readonly unknown: readonly string[];
}

/** The part of a log that is used here. */
export interface NoteLog {
  info(message: string): void;
  warn(message: string): void;
}

/**
 * `schema.name` of a word.
 * @throws UsageError when one of them is empty
 */
export function fullName(word: string): string {
  const name = parseFqName(word);
  if (name.schema === '' || name.name === '')
    throw new UsageError(`'${word}' is no name`, {
      hint: 'names are written as schema.table, without quotes',
    });
  return formatFqName(name);
}

function patternOf(word: string): RegExp {
  const escaped = fullName(word).replace(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`, 'su');
}

/** Choose; order is that of the words, and of the candidates within a pattern. */
export function chooseNames(request: NameRequest): NameChoice {
  const names = new Set<string>(request.all ? request.candidates : []);
  const processed = new Set<string>();
  const unknown = new Set<string>();
  for (const word of request.words) {
    const name = fullName(word);
    // A relation may really be called `a*b`.
    if (request.candidates.includes(name)) names.add(name);
    else if (request.processed.includes(name)) processed.add(name);
    else if (/[*?]/.test(word)) {
      const pattern = patternOf(word);
      for (const one of request.candidates) if (pattern.test(one)) names.add(one);
      for (const one of request.processed) if (pattern.test(one)) processed.add(one);
    } else {
      unknown.add(name);
      if (request.force) names.add(name);
    }
  }
  return { names: [...names], processed: [...processed], unknown: [...unknown] };
}

/**
 * Choose, and log as Londiste does.
 * @returns names to work on; none after `what to do ?`
 * @throws UsageError for unknown names without force, and for --all together with names
 */
export function expandNames(request: NameRequest, log: NoteLog): NameChoice {
  if (request.all && request.words.length > 0) {
    throw new UsageError('--all and names exclude each other', { hint: 'give one of them' });
  }
  const choice = chooseNames(request);
  for (const name of choice.processed) log.info(`${name} already processed`);
  for (const name of choice.unknown) {
    log.warn(request.force ? `${name} not available, but --force is used` : `${name} not available`);
  }
  const [first] = choice.unknown;
  if (first !== undefined && !request.force) {
    const near = nearestWord(first, [...request.candidates, ...request.processed]);
    throw new UsageError(`Cannot proceed: not available: ${choice.unknown.join(', ')}`, {
      hint: near ? `did you mean ${near}?` : 'names are written without quotes, as schema.table',
    });
  }
  if (choice.names.length === 0 && choice.processed.length === 0) log.info('what to do ?');
  return choice;
}
