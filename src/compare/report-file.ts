/** A comparison as one HTML page that needs nothing else: no scripts, no files, no network. */
import { writeFile } from 'node:fs/promises';
import { KajaError } from '../errors/kaja-error.ts';
import type { TableComparison } from './compare-one.ts';
import { type CompareOutcome, resultOf } from './compare-tables.ts';
import type { RowTexts, Sample } from './sample-rows.ts';

/** Who was compared. */
export interface ReportTitle {
  readonly node: string;
  readonly source: string;
  readonly queue: string;
}

const STYLE = `body{font:15px/1.45 system-ui,sans-serif;margin:2rem;color:#1d2530;background:#fff}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;margin:.5rem 0}
th,td{border:1px solid #cdd4dd;padding:.25rem .6rem;text-align:left;vertical-align:top}th{background:#f0f3f6}
td.n{text-align:right;font-variant-numeric:tabular-nums}.equal{color:#11693a}.different{color:#a3201d}
td.d{background:#fbe3e1}code{font-size:.85em;word-break:break-all}.null{color:#7a8594;font-style:italic}
@media (prefers-color-scheme:dark){body{background:#14181d;color:#dde3ea}th{background:#222931}th,td{border-color:#3a434e}
td.d{background:#4d2624}.equal{color:#6cc795}.different{color:#f0908c}}`;

const escaped = (text: string): string => text.replace(/[&<>"']/g, (char) => `&#${char.codePointAt(0)};`);

/**
 * Write the page.
 * @throws KajaError state-refused when the file cannot be written
 */
export async function writeReport(path: string, title: ReportTitle, outcome: CompareOutcome): Promise<void> {
  try {
    // Values of rows are in it: readable by the owner only.
    await writeFile(path, reportPage(title, outcome, new Date()), { mode: 0o600 });
  } catch (error) {
    throw new KajaError('state-refused', `cannot write ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** The page's text. @param at when it was made */
export function reportPage(title: ReportTitle, outcome: CompareOutcome, at: Date): string {
  const result = resultOf(outcome);
  const lag =
    outcome.exact || outcome.tick === null ? '' : ' The worker was not there: differences may be lag.';
  const head = `${escaped(title.node)} against ${escaped(title.source)}`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${head}: ${result}</title><style>${STYLE}</style></head>
<body><h1>${head}: <span class="${result === 'equal' ? 'equal' : 'different'}">${result}</span></h1>
<p>Queue ${escaped(title.queue)}, tick ${outcome.tick ?? 'none'}, run ${outcome.runId ?? 'none'}, ${at.toISOString()}.${lag}</p>
${summary(outcome.tables)}
${outcome.tables
  .filter((table) => table.samples.length > 0)
  .map(rowsOfTable)
  .join('\n')}
${outcome.refused.length > 0 ? `<h2>Not comparable</h2><ul>${outcome.refused.map((one) => `<li>${escaped(one.tableName)}: ${escaped(one.reason)}</li>`).join('')}</ul>` : ''}
</body></html>
`;
}

function summary(tables: readonly TableComparison[]): string {
  const cells = (table: TableComparison): string => {
    const { differences } = table;
    const numbers = [
      table.sourceRows,
      table.destRows,
      differences?.missing,
      differences?.extra,
      differences?.different,
    ];
    return `<tr><td>${escaped(table.destName)}</td><td class="${table.equal ? 'equal">equal' : 'different">different'}</td>${numbers.map((one) => `<td class="n">${one ?? ''}</td>`).join('')}<td class="n">${table.seconds.toFixed(2)}</td><td><code>${escaped(table.source)}</code></td><td><code>${escaped(table.dest)}</code></td></tr>`;
  };
  const header = [
    'table',
    'result',
    'rows there',
    'rows here',
    'missing',
    'extra',
    'different',
    'seconds',
    'there',
    'here',
  ];
  return `<table><thead><tr>${header.map((one) => `<th>${one}</th>`).join('')}</tr></thead><tbody>${tables.map(cells).join('\n')}</tbody></table>`;
}

const KINDS = { missing: 'missing here', extra: 'extra here', different: 'different' } as const;

function rowsOfTable(table: TableComparison): string {
  const body = table.samples.map((sample) => rowsOfSample(sample)).join('\n');
  return `<h2>${escaped(table.destName)}</h2><table><thead><tr><th>row</th><th>what</th><th>column</th><th>there</th><th>here</th></tr></thead><tbody>${body}</tbody></table>`;
}

function rowsOfSample(sample: Sample): string {
  const columns = Object.keys(sample.source ?? sample.dest ?? sample.row);
  const key = Object.entries(sample.row).map(([name, value]) => `${escaped(name)}=${shown(value)}`);
  const lines = columns.map((column) => {
    const mark = sample.columns.includes(column) ? ' class="d"' : '';
    return `<td>${escaped(column)}</td><td${mark}>${cell(sample.source, column)}</td><td${mark}>${cell(sample.dest, column)}</td>`;
  });
  const head = `<td rowspan="${lines.length}">${key.join('<br>')}</td><td rowspan="${lines.length}">${KINDS[sample.kind]}</td>`;
  return lines.map((line, n) => `<tr>${n === 0 ? head : ''}${line}</tr>`).join('\n');
}

const cell = (row: RowTexts | null, column: string): string =>
  row === null ? '' : shown(row[column] ?? null);

const shown = (value: string | null): string =>
  value === null ? '<span class="null">NULL</span>' : `<code>${escaped(value)}</code>`;
