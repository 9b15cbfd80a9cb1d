/** From the text of an ini value to its typed value. */
import { errorLine } from '../errors/error-line.ts';
import { isConnectionUri, parseKeywordForm, parseUriForm } from './connection-keys.ts';
import { createCalendar } from './cron-calendar.ts';
import { isCronExpression, isTimezone } from './cron-syntax.ts';
import { expandHome } from './expand-home.ts';
import type { OptionSpec } from './option-table.ts';

/** A typed ini value. */
export type ConfigValue = string | number | boolean | readonly string[];

const TRUE = new Set(['1', 'yes', 'true', 'on']);
const FALSE = new Set(['0', 'no', 'false', 'off']);
const SIZE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1024,
  kb: 1024,
  m: 1024 ** 2,
  mb: 1024 ** 2,
  g: 1024 ** 3,
  gb: 1024 ** 3,
};

/** Comma or line separated words, trimmed, without empty ones. */
export const splitList = (text: string): string[] =>
  text
    .split(/[,\n]/)
    .map((word) => word.trim())
    .filter((word) => word !== '');

/**
 * Convert a value.
 * @param text after interpolation
 * @throws Error with a clause such as "must be a whole number"; the caller adds the place
 */
export function convertValue(text: string, spec: OptionSpec): ConfigValue {
  const trimmed = text.trim();
  switch (spec.type) {
    case 'text':
    case 'ignored':
      return text;
    case 'file':
      return expandHome(trimmed);
    case 'list':
      return Object.freeze(splitList(text));
    case 'bool': {
      const word = trimmed.toLowerCase();
      if (TRUE.has(word)) return true;
      if (FALSE.has(word)) return false;
      throw new Error('must be 0 or 1');
    }
    case 'int':
      if (!/^-?\d+$/.test(trimmed)) throw new Error('must be a whole number');
      return inRange(Number(trimmed), spec.min, spec.max);
    case 'seconds': {
      const seconds = trimmed === '' ? spec.default : plainNumber(trimmed, 'a number of seconds');
      return Math.round(inRange(seconds, spec.negative ? undefined : (spec.min ?? 0), undefined) * 1000);
    }
    case 'bytes': {
      const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(trimmed);
      const unit = SIZE_UNITS[(match?.[2] ?? '-').toLowerCase()];
      if (!match || unit === undefined) throw new Error('must be a number of bytes, as 10485760 or 10MB');
      return Math.round(Number(match[1]) * unit);
    }
    case 'choice':
      if (!spec.choices.includes(trimmed)) throw new Error(`must be one of ${spec.choices.join(', ')}`);
      return trimmed;
    case 'cron':
      if (trimmed !== '' && !isCronExpression(trimmed))
        throw new Error('must be five cron fields, or six with seconds first');
      if (trimmed !== '' && createCalendar(trimmed, 'UTC').next(Date.now()) === undefined)
        throw new Error(`never comes: there is no such day ("${trimmed}")`);
      return trimmed;
    case 'timezone':
      if (trimmed !== '' && !isTimezone(trimmed))
        throw new Error(`must be the name of a time zone, such as Europe/Tallinn, not "${trimmed}"`);
      return trimmed;
    case 'location':
      // Only its form is checked: services and environment belong to the moment of connecting.
      if (trimmed !== '') checkLocation(trimmed);
      return trimmed;
  }
}

function checkLocation(text: string): void {
  try {
    if (isConnectionUri(text)) parseUriForm(text);
    else parseKeywordForm(text);
  } catch (error) {
    throw new Error(`is not usable: ${errorLine(error)}`, { cause: error });
  }
}

function plainNumber(text: string, what: string): number {
  if (!/^-?(\d+(\.\d*)?|\.\d+)$/.test(text)) throw new Error(`must be ${what}`);
  return Number(text);
}

function inRange(value: number, min: number | undefined, max: number | undefined): number {
  if (min !== undefined && value < min) throw new Error(`must be at least ${min}`);
  if (max !== undefined && value > max) throw new Error(`must be at most ${max}`);
  return value;
}
