/** Files that a run leaves behind when it is asked to. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fillRegions, regionsOf } from '../docs/regions.ts';
import { type Book, medianOf } from './book.ts';
import { tableOf } from './print.ts';
import { verdict } from './targets.ts';

/** The part of bench/README.md that holds the last full run. */
const REGION = 'results';

/** What the files tell. */
export interface Report {
  readonly book: Book;
  /** Machine, versions, date and size of the run. */
  readonly about: string;
  /** Subjects that were measured, in order. */
  readonly subjects: readonly string[];
}

/** Write every round's figure, the verdicts and the curves. */
export function storeJson(file: string, { book, about }: Report): void {
  const entries = book.entries.map((one) => ({ ...one, median: medianOf(one), target: verdict(book, one) }));
  writeFileSync(file, `${JSON.stringify({ machine: about, entries, curves: book.curves }, null, 2)}\n`);
}

/** Write the tables. A page with a generated part `results`, as bench/README.md is, keeps everything else. */
export function storeMarkdown(file: string, { book, about, subjects }: Report): void {
  const tables = [`${about}.`, ...subjects.map((name) => tableOf(book, name))].join('\n\n');
  const page = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const hasPlace = regionsOf(page).includes(REGION);
  writeFileSync(file, hasPlace ? fillRegions(page, () => `\n${tables}\n`) : `${tables}\n`);
}
