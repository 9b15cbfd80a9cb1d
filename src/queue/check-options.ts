/** Checks options that programs give: one clear line for a mistake, before anything is done. */
import { KajaError } from '../errors/kaja-error.ts';
import { nearestWord } from '../errors/nearest.ts';

/** What a value has to be. */
export interface OptionRule {
  /** For the message: `a positive number of seconds`. */
  readonly what: string;
  fits(value: unknown): boolean;
}

const rule = (what: string, fits: (value: unknown) => boolean): OptionRule => ({ what, fits });
const isNumber = (value: unknown): value is number => typeof value === 'number' && !Number.isNaN(value);

/** Rules that several places share. */
export const RULES = {
  name: rule('a string that is not empty', (value) => typeof value === 'string' && value !== ''),
  flag: rule('true or false', (value) => typeof value === 'boolean'),
  seconds: rule('a number of seconds, not negative', (value) => isNumber(value) && value >= 0 && value < 1e9),
  positiveSeconds: rule(
    'a number of seconds above 0',
    (value) => isNumber(value) && value > 0 && value < 1e9,
  ),
  count: rule('a whole number from 1 on', (value) => Number.isSafeInteger(value) && (value as number) >= 1),
  countOrInfinity: rule(
    'a whole number from 1 on, or Infinity',
    (value) => value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && (value as number) >= 1),
  ),
  work: rule('a function', (value) => typeof value === 'function'),
  signal: rule('an AbortSignal', (value) => value instanceof AbortSignal),
  secondsOrWork: rule(
    'a number of seconds or a function that returns one',
    (value) => typeof value === 'function' || (isNumber(value) && value >= 0),
  ),
  logger: rule(
    'an object with the functions info, warn and error, or false',
    (value) =>
      value === false ||
      (typeof value === 'object' &&
        value !== null &&
        ['info', 'warn', 'error'].every(
          (key) => typeof (value as Record<string, unknown>)[key] === 'function',
        )),
  ),
  connection: rule(
    'a connection string or an object with host, database, user …',
    (value) =>
      (typeof value === 'string' && value.trim() !== '') ||
      (typeof value === 'object' && value !== null && !Array.isArray(value) && !('query' in value)),
  ),
  position: rule(
    "'start', 'end', a tick (bigint) or a Date",
    (value) =>
      value === 'start' ||
      value === 'end' ||
      (typeof value === 'bigint' && value >= 0n) ||
      (value instanceof Date && !Number.isNaN(value.getTime())),
  ),
  anything: rule('anything', () => true),
} as const;

/** One of these words. */
export const oneOf = (...words: readonly string[]): OptionRule =>
  rule(words.map((word) => `'${word}'`).join(' or '), (value) => words.some((word) => word === value));

/**
 * Check an options object; an absent or undefined value is fine unless it is required.
 * @param owner what takes the options, for messages: `Consumer`
 * @param given what the program gave; undefined counts as `{}`
 * @throws KajaError option-invalid at the first mistake
 */
export function checkOptions(
  owner: string,
  given: unknown,
  rules: Readonly<Record<string, OptionRule>>,
  required: readonly string[] = [],
): void {
  if (given !== undefined && (typeof given !== 'object' || given === null || Array.isArray(given)))
    throw new KajaError('option-invalid', `options of ${owner} must be an object`);
  const options = (given ?? {}) as Record<string, unknown>;
  for (const [key, value] of Object.entries(options)) {
    if (!Object.hasOwn(rules, key)) {
      const near = nearestWord(key, Object.keys(rules));
      throw new KajaError('option-invalid', `${owner} has no option "${key}"`, {
        hint: near ? `did you mean ${near}?` : `its options are ${Object.keys(rules).join(', ')}`,
      });
    }
    if (value !== undefined) checkValue(`option ${key} of ${owner}`, value, rules[key] as OptionRule);
  }
  for (const key of required) {
    if (options[key] === undefined)
      throw new KajaError('option-invalid', `${owner} needs option ${key}: ${rules[key]?.what}`);
  }
}

/**
 * Check one value.
 * @param subject for the message: `name of Queue`
 * @throws KajaError option-invalid; the value itself is not in the message, it may hold a password
 */
export function checkValue(subject: string, value: unknown, wanted: OptionRule): void {
  if (!wanted.fits(value)) throw new KajaError('option-invalid', `${subject} must be ${wanted.what}`);
}
