/** What the doctor has to say: findings, and the words that judges make them with. */

/** `info`: good to know. `warning`: will hurt some day. `error`: does not work, or will not. */
export type Severity = 'ok' | 'info' | 'warning' | 'error';

/** What a check thinks of one thing. */
export interface Verdict {
  readonly severity: Severity;
  readonly what: string;
  /** What to do about it; '' when there is nothing to do. */
  readonly remedy: string;
}

/** A verdict with its place. */
export interface Finding extends Verdict {
  /** Name of the check. */
  readonly check: string;
  /** Database (`shop at db1:5432 as app`) or ini file. */
  readonly where: string;
}

/** All is well. */
export const ok = (what: string): Verdict => ({ severity: 'ok', what, remedy: '' });
/** Good to know; with a remedy when something can be done. */
export const info = (what: string, remedy = ''): Verdict => ({ severity: 'info', what, remedy });
/** Will hurt some day. */
export const warning = (what: string, remedy: string): Verdict => ({ severity: 'warning', what, remedy });
/** Does not work, or will not. */
export const error = (what: string, remedy: string): Verdict => ({ severity: 'error', what, remedy });

const ORDER: readonly Severity[] = ['error', 'warning', 'info', 'ok'];

/** The worst first; equal ones keep their order. */
export const worstFirst = <T extends { readonly severity: Severity }>(list: readonly T[]): T[] =>
  list.toSorted((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity));

/** Names for a sentence: the first few, and how many more. */
export function listNames(names: readonly string[], most = 8): string {
  const shown = names.slice(0, most).join(', ');
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}

/** A time for people: `40 s`, `12 min`, `3 h`, `2 days`. */
export function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** A size for people. */
export function size(bytes: bigint | number): string {
  let left = Number(bytes);
  for (const unit of ['bytes', 'kB', 'MB', 'GB']) {
    if (left < 1024) return `${Math.round(left)} ${unit}`;
    left /= 1024;
  }
  return `${Math.round(left)} TB`;
}

/** A number with its noun. */
export const count = (n: number, word: string): string => `${n} ${word}${n === 1 ? '' : 's'}`;
