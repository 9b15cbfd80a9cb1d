/** What a subject of the benchmark gets, and is. */
import type { Book } from './book.ts';
import type { ContenderName, Servers } from './site.ts';

/** A run's circumstances. */
export interface Run {
  readonly servers: Servers;
  readonly book: Book;
  readonly rounds: number;
  /** Small sizes, so that everything ends within three minutes. */
  readonly quick: boolean;
  /** PgQ's C triggers are installed. */
  readonly pgqInstalled: boolean;
  /** Say what is going on. */
  note(text: string): void;
}

/** One subject. */
export interface Subject {
  readonly name: string;
  measure(run: Run): Promise<void>;
}

/** Contenders of a subject that captures changes. */
export const captureContenders = (run: Run): ContenderName[] => [
  'none',
  'built-in',
  'kaja',
  ...(run.pgqInstalled ? (['pgq-c'] as const) : []),
];
