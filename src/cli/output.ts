/** Results on stdout: Londiste's tables, or JSON. */

const MIN_WIDTH = 15;

/** One cell as text: NULL is `None`, booleans `True` and `False`, as Londiste prints them. */
export function cellText(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'object' ? toJson(value) : String(value);
}

/* Terminal columns of a text: code points, wide East Asian ones count twice. */
function displayWidth(text: string): number {
  let width = 0;
  for (const char of text)
    width +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/u.test(
        char,
      )
        ? 2
        : 1;
  return width;
}

const padTo = (text: string, width: number): string =>
  text + ' '.repeat(Math.max(0, width - displayWidth(text)));

/**
 * Format a table: title, header, dashes, rows, two empty lines. Columns are at least 15 wide and two apart; the last is not padded.
 * @returns '' for no rows
 */
export function formatTable(
  title: string,
  header: readonly string[],
  rows: readonly (readonly unknown[])[],
): string {
  if (rows.length === 0) return '';
  const cells = rows.map((row) => header.map((_, column) => cellText(row[column])));
  const widths = header.map((name, column) =>
    Math.max(MIN_WIDTH, displayWidth(name), ...cells.map((row) => displayWidth(row[column] ?? ''))),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column === row.length - 1 ? cell : padTo(cell, (widths[column] ?? MIN_WIDTH) + 2),
      )
      .join('');
  const lines = [line(header), line(widths.map((width) => '-'.repeat(width))), ...cells.map(line)];
  if (title) lines.unshift(title);
  return `${lines.join('\n')}\n\n\n`;
}

/** A table as JSON objects, one per row, named by the header. */
export function tableToObjects(
  header: readonly string[],
  rows: readonly (readonly unknown[])[],
): Record<string, unknown>[] {
  return rows.map((row) => Object.fromEntries(header.map((name, column) => [name, row[column] ?? null])));
}

/** JSON with two blanks of indentation; bigints become numbers when exact, else strings; maps become objects. */
export function toJson(value: unknown, indent = 0): string {
  const plain = (_: string, one: unknown): unknown => {
    if (typeof one === 'bigint')
      return one >= Number.MIN_SAFE_INTEGER && one <= Number.MAX_SAFE_INTEGER ? Number(one) : String(one);
    if (one instanceof Map) return Object.fromEntries(one);
    if (one instanceof Set) return [...one];
    return one;
  };
  return JSON.stringify(value, plain, indent) ?? 'null';
}
