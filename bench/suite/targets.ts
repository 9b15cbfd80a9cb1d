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
  { subject: 'drain', what: /^seconds/, against: 'londiste', limit: 8 },
  { subject: 'steady', what: /^2000 .* last third against first/, limit: 1.5 },
  { subject: 'latency', what: /^200 tx\/s p50/, limit: 25 },
  { subject: 'latency', what: /^200 tx\/s p99/, limit: 100 },
  { subject: 'copy', what: /in sync$/, against: 'bare COPY', limit: 1 / 1.5 },
  { subject: 'compare', what: /^compare/, against: 'plain checksum', limit: 1 / 1.3 },
  { subject: 'compare', what: /^repair \d+ of \d+ rows$/, limit: 2 },
  { subject: 'compare', what: /^repair .* moved/, limit: 1 },
  { subject: 'big', what: /peak memory$/, limit: 200 },
  { subject: 'processes', what: /^CLI status/, limit: 0.3 },
  { subject: 'processes', what: /^idle CPU/, limit: 1 },
  { subject: 'processes', what: /^idle RSS/, limit: 120 },
];

/** How many times as good kaja is as another entry; above 1 kaja is better. */
export function ratio(kaja: Entry | undefined, other: Entry): number {
  const [ours, theirs] = [medianOf(kaja), medianOf(other)];
  return other.better === 'less' ? theirs / ours : ours / theirs;
}

/** A few words about an entry of kaja, empty where there is no target or no peer. */
export function verdict(book: Book, entry: Entry): string {
  if (entry.contender !== 'kaja') return '';
  return TARGETS.filter((one) => one.subject === entry.subject && one.what.test(entry.what))
    .map((target) => judge(book, entry, target))
    .filter((words) => words !== '')
    .join(', ');
}

function judge(book: Book, entry: Entry, { against, limit }: Target): string {
  if (against === undefined) return word(medianOf(entry) <= limit, `≤ ${limit} ${entry.unit}`);
  const peer = book.find(entry.subject, entry.what, against);
  if (!peer || Number.isNaN(medianOf(peer))) return '';
  const text = limit >= 1 ? `≥ ${limit} × ${against}` : `≤ ${(1 / limit).toFixed(1)} × time of ${against}`;
  return word(ratio(entry, peer) >= limit, text);
}

const word = (met: boolean, text: string): string => `${met ? 'met' : 'MISSED'} (${text})`;
