/** What a subject of the benchmark gets, and is. */
import type { Book } from './book.ts';
import type { NodeName } from './open-sites.ts';
import type { ContenderName, Servers } from './site.ts';

/** A run's circumstances. */
export interface Run {
  readonly servers: Servers;
  readonly book: Book;
  readonly rounds: number;
  /** Small sizes, so that everything ends within three minutes. */
  readonly quick: boolean;
  /** The largest cases too. */
  readonly large: boolean;
  /** The contenders were named. */
  readonly chosen: boolean;
  /** How long a steady load goes on. */
  readonly minutes: number;
  /** Its transactions per second; absent: the subject's own. */
  readonly rates?: readonly number[] | undefined;
  /** Whether a contender is installed here and wanted. */
  has(name: ContenderName): boolean;
  /** Say what is going on. */
  note(text: string): void;
}

/** One subject. */
export interface Subject {
  readonly name: string;
  measure(run: Run): Promise<void>;
}

/** Contenders of a subject that captures changes. */
export const captureContenders = (run: Run): ContenderName[] =>
  (['none', 'built-in', 'kaja', 'pgq-c'] as const).filter((name) => run.has(name));

/**
 * Contenders of a subject that replicates.
 * @param londisteWhenQuick Londiste takes its time, so that only some subjects of a quick run have it unless it was asked for
 */
export const replicaContenders = (run: Run, londisteWhenQuick = false): ContenderName[] =>
  (['built-in', 'kaja', 'londiste'] as const).filter(
    (name) => run.has(name) && (name !== 'londiste' || !run.quick || londisteWhenQuick || run.chosen),
  );

/** Contenders of a subject that looks at cost by size, which opens many sites: kaja alone in a quick run unless others were named. */
export const growthContenders = (run: Run): ContenderName[] =>
  run.quick && !run.chosen ? ['kaja'] : replicaContenders(run);

/** Those of `replicaContenders` that have nodes and a command line. */
export const nodeContenders = (run: Run): NodeName[] =>
  replicaContenders(run).filter((name) => name === 'kaja' || name === 'londiste');
