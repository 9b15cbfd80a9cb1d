/** compare_fmt: Python's `%(name)d` over the columns of a result. */

/**
 * Format one row of a comparison.
 * @param format for example `%(cnt)d rows, checksum=%(chksum)s`
 * @param values by column name; null is `None`; unknown names stay as they are
 */
export function formatResult(format: string, values: Readonly<Record<string, unknown>>): string {
  return format.replace(/%(?:%|\(([^()]+)\)[-#0 +]*\d*(?:\.\d+)?[a-zA-Z])/g, (whole, name?: string) => {
    if (name === undefined) return '%';
    const value = values[name];
    return value === undefined ? whole : value === null ? 'None' : String(value);
  });
}

/**
 * compare_sql for one table.
 * @param columns quoted, in the provider's order
 * @param filter condition or null
 */
export function expandCompareSql(
  sql: string,
  table: string,
  columns: readonly string[],
  filter: string | null,
): string {
  const text = sql.replaceAll('_COLS_', () => `(${columns.join(', ')})`).replaceAll('_TABLE_', () => table);
  return filter ? `${text} WHERE ${filter}` : text;
}
