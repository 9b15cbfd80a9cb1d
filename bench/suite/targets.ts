/** The targets of the issue «The fastest of its kind», and whether they are met. */
import { type Book, type Entry, medianOf } from './book.ts';

interface Target {
  readonly subject: string;
  readonly what: RegExp;
  /** The contender the figure is compared with; absent: the limit is absolute, in the figure's unit. */
  readonly against?: string;
  /** At least so many times as good as `against`, or at most this much. */
  readonly limit: number;
}

const TARGETS: readonly Target[] = [
  { subject: 'capture', what: /^bulk /, against: 'pgq-c', limit: 3 },
  { subject: 'capture', what: /^oltp/, against: 'pgq-c', limit: 1 },
  { subject: 'drain', what: /^seconds/, against: 'built-in', limit: 2 },
  { subject: 'latency', what: /^200 tx\/s p50/, limit: 25 },
  { subject: 'latency', what: /^200 tx\/s p99/, limit: 100 },
  { subject: 'copy', what: /./, against: 'bare COPY', limit: 1 / 1.5 },
  { subject: 'compare', what: /^compare/, against: 'plain checksum', limit: 1 / 1.3 },
  { subject: 'compare', what: /^repair/, limit: 2 },
  { subject: 'processes', what: /^CLI status/, limit: 0.3 },
  { subject: 'processes', what: /^idle CPU/, limit: 1 },
  { subject: 'processes', what: /^idle RSS/, limit: 120 },
];

/** How many times as good kaja is as another entry; above 1 kaja is better. */
export function ratio(kaja: Entry | undefined, other: Entry): number {
  const [ours, theirs] = [medianOf(kaja), medianOf(other)];
  return other.better === 'less' ? theirs / ours : ours / theirs;
}

/** One word about an entry of kaja, empty where there is no target or no peer. */
export function verdict(book: Book, entry: Entry): string {
  if (entry.contender !== 'kaja') return '';
  const target = TARGETS.find((one) => one.subject === entry.subject && one.what.test(entry.what));
  if (!target) return '';
  if (target.against === undefined)
    return word(medianOf(entry) <= target.limit, `≤ ${target.limit} ${entry.unit}`);
  const peer = book.find(entry.subject, entry.what, target.against);
  if (!peer || Number.isNaN(medianOf(peer))) return '';
  const text =
    target.limit >= 1
      ? `≥ ${target.limit} × ${target.against}`
      : `≤ ${(1 / target.limit).toFixed(1)} × time of ${target.against}`;
  return word(ratio(entry, peer) >= target.limit, text);
}

const word = (met: boolean, text: string): string => `${met ? 'met' : 'MISSED'} (${text})`;
