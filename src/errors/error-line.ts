/** Turns any failure into the one line a person reads. */
import { EXIT } from './codes.ts';
import { KajaError } from './kaja-error.ts';
import { redactText } from './redact.ts';

const oneLine = (text: string): string => text.replace(/\s*[\r\n]+\s*/g, ' ').trim();

/** A server's error as node-postgres throws it; read by shape so that this room needs no driver. */
interface ServerError extends Error {
  code?: unknown;
  detail?: unknown;
  hint?: unknown;
  severity?: unknown;
}

function innermost(error: Error): Error {
  let at = error;
  while (at instanceof AggregateError && at.errors[0] instanceof Error) at = at.errors[0];
  return at;
}

function describe(error: unknown): { text: string; hint: string | undefined } {
  if (error instanceof KajaError) return { text: error.message, hint: error.hint };
  if (!(error instanceof Error)) return { text: String(error), hint: undefined };
  const inner: ServerError = innermost(error);
  let text = inner.message || inner.name;
  if (typeof inner.severity === 'string' && typeof inner.code === 'string') {
    if (typeof inner.detail === 'string' && inner.detail) text += ` (${inner.detail})`;
    text += ` [${inner.code}]`;
    return { text, hint: typeof inner.hint === 'string' && inner.hint ? inner.hint : undefined };
  }
  return { text, hint: undefined };
}

/**
 * Exactly one line: what is wrong and where; what to do. Passwords are replaced by `***`.
 * @param error anything thrown
 */
export function errorLine(error: unknown): string {
  const { text, hint } = describe(error);
  const clean = (part: string): string => redactText(oneLine(part)).replace(/[.;]\s*$/, '');
  return hint ? `${clean(text)}; ${clean(hint)}` : clean(text) || 'unknown error';
}

/**
 * Everything known about a failure, for -v: stacks of the error and its causes, without passwords.
 * @param error anything thrown
 */
export function errorStack(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error, depth = 0; at !== undefined && depth < 10; depth++) {
    if (!(at instanceof Error)) {
      parts.push(String(at));
      break;
    }
    parts.push(at.stack ?? errorLine(at));
    if (at instanceof AggregateError) for (const one of at.errors) parts.push(`  ${errorLine(one)}`);
    at = at.cause;
  }
  return redactText(parts.join('\ncaused by: '));
}

/** The exit code a failure asks for. */
export function exitCodeOf(error: unknown): number {
  return error instanceof KajaError ? error.exitCode : EXIT.unexpected;
}
