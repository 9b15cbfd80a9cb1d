/** The tables that a run prints; they are Markdown, so that they can be kept. */
import { type Book, type Entry, medianOf } from './book.ts';
import { ratio, verdict } from './targets.ts';

const HEAD = ['what', 'contender', 'median', 'min – max', 'kaja is … times as good', 'target'];

/** One subject as table. */
export function tableOf(book: Book, subject: string): string {
  const rows = book.entries.filter((one) => one.subject === subject).map((one) => rowOf(book, one));
  const widths = HEAD.map((title, at) =>
    Math.max(...[HEAD, ...rows].map((row) => (row[at] ?? '').length), title.length),
  );
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`;
  return [
    `### ${subject}`,
    '',
    line(HEAD),
    line(widths.map((width) => '-'.repeat(width))),
    ...rows.map(line),
  ].join('\n');
}

function rowOf(book: Book, entry: Entry): string[] {
  if (entry.failure !== undefined) return [entry.what, entry.contender, '–', entry.failure, '', ''];
  const kaja = book.find(entry.subject, entry.what, 'kaja');
  const times = entry.contender === 'kaja' ? Number.NaN : ratio(kaja, entry);
  return [
    entry.what,
    entry.contender,
    `${short(medianOf(entry))} ${entry.unit}`,
    `${short(Math.min(...entry.samples))} – ${short(Math.max(...entry.samples))}`,
    Number.isNaN(times) ? '' : times.toFixed(2),
    verdict(book, entry),
  ];
}

const short = (value: number): string =>
  value >= 999.5 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
