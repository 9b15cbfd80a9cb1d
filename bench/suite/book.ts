/** What was measured, and what it means. */

/** Which figures are good. */
export type Better = 'less' | 'more';

/** All rounds of one contender in one case. */
export interface Entry {
  readonly subject: string;
  /** What was done, for example `insert 50,000 rows`. */
  readonly what: string;
  readonly contender: string;
  readonly unit: string;
  readonly better: Better;
  readonly samples: number[];
  /** Why there is no figure. */
  failure?: string;
}

/** A line of a drawing. */
export interface Curve {
  /** The drawing it belongs to: the last part of its file's name. */
  readonly drawing: string;
  /** The drawing's title. */
  readonly what: string;
  /** Words under the horizontal axis. */
  readonly across: string;
  readonly contender: string;
  readonly points: readonly (readonly [number, number])[];
}

/** Collects figures. */
export class Book {
  readonly entries: Entry[] = [];
  /** Curves for `bench/plot.ts`. */
  readonly curves: Curve[] = [];

  /** Add one round's figure. */
  add(
    subject: string,
    what: string,
    contender: string,
    value: number,
    unit: string,
    better: Better = 'less',
  ): void {
    this.#entry(subject, what, contender, unit, better).samples.push(value);
  }

  /**
   * Draw medians against a size, one curve per contender that has more than one figure.
   * @param drawing name and titles of the drawing
   * @param points size and the entry's `what`
   */
  addGrowth(
    subject: string,
    drawing: Omit<Curve, 'contender' | 'points'>,
    points: readonly (readonly [number, string])[],
  ): void {
    const names = new Set(this.entries.filter((one) => one.subject === subject).map((one) => one.contender));
    for (const contender of names) {
      const drawn = points
        .map(([size, entry]) => [size, medianOf(this.find(subject, entry, contender))] as const)
        .filter(([, value]) => !Number.isNaN(value));
      if (drawn.length > 1) this.curves.push({ ...drawing, contender, points: drawn });
    }
  }

  /** A contender whose rows differ has no figure in the subject. */
  fail(subject: string, contender: string, reason: string): void {
    const touched = this.entries.filter((one) => one.subject === subject && one.contender === contender);
    if (touched.length === 0) touched.push(this.#entry(subject, 'all', contender, '', 'less'));
    for (const one of touched) one.failure = reason;
  }

  find(subject: string, what: string, contender: string): Entry | undefined {
    return this.entries.find(
      (one) => one.subject === subject && one.what === what && one.contender === contender,
    );
  }

  #entry(subject: string, what: string, contender: string, unit: string, better: Better): Entry {
    const known = this.find(subject, what, contender);
    if (known) return known;
    const entry: Entry = { subject, what, contender, unit, better, samples: [] };
    this.entries.push(entry);
    return entry;
  }
}

/** Middle of the samples; NaN without any or after a failure. */
export function medianOf(entry: Entry | undefined): number {
  if (!entry || entry.failure !== undefined) return Number.NaN;
  const sorted = [...entry.samples].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[half] ?? Number.NaN)
    : ((sorted[half - 1] ?? Number.NaN) + (sorted[half] ?? Number.NaN)) / 2;
}

/** The value below which the share `part` of sorted numbers lies. */
export const percentile = (sorted: readonly number[], part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
