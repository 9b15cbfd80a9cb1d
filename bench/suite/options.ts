/** The command line of `npm run bench`. */
import { parseArgs } from 'node:util';
import { CONTENDERS, type ContenderName } from './site.ts';

/** What was asked for. */
export interface Options {
  readonly only: readonly string[];
  readonly contenders: readonly ContenderName[];
  /** They were named, so that nobody is left out. */
  readonly chosen: boolean;
  readonly quick: boolean;
  readonly large: boolean;
  readonly rounds: number;
  readonly minutes: number;
  readonly rates?: readonly number[];
  readonly json?: string;
  readonly markdown?: string;
}

/**
 * Read the arguments.
 * @param subjects names that `--only` may take
 * @throws Error with one line for people
 */
export function readOptions(subjects: readonly string[]): Options {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      contenders: { type: 'string' },
      quick: { type: 'boolean', default: false },
      large: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      minutes: { type: 'string' },
      rates: { type: 'string' },
      json: { type: 'string' },
      markdown: { type: 'string' },
    },
  });
  const { quick, large, json, markdown, rates } = values;
  if (quick && large) throw new Error('--quick and --large exclude each other');
  return {
    only: listOf('subject', values.only, subjects),
    // kaja always takes part: the others are compared with it.
    contenders: [...new Set([...listOf('contender', values.contenders, CONTENDERS), 'kaja' as const])],
    chosen: values.contenders !== undefined,
    quick,
    large,
    rounds: numberOf('--rounds', values.rounds, quick ? 1 : 3, Number.isInteger),
    minutes: numberOf('--minutes', values.minutes, quick ? 3 / 60 : 1, (value) => value > 0),
    ...(rates === undefined
      ? {}
      : { rates: rates.split(',').map((one) => numberOf('--rates', one, 0, Number.isInteger)) }),
    ...(json === undefined ? {} : { json }),
    ...(markdown === undefined ? {} : { markdown }),
  };
}

function listOf<T extends string>(what: string, text: string | undefined, known: readonly T[]): readonly T[] {
  if (text === undefined) return known;
  return text.split(',').map((name) => {
    const found = known.find((one) => one === name);
    if (found === undefined) throw new Error(`no ${what} ${name}; there are ${known.join(', ')}`);
    return found;
  });
}

function numberOf(
  option: string,
  text: string | undefined,
  otherwise: number,
  fits: (value: number) => boolean,
): number {
  const value = Number(text ?? otherwise);
  if (!(value > 0) || !fits(value)) throw new Error(`${option} takes a number above 0, not ${text}`);
  return value;
}
