/**
 * Rows of many tables, sorted into one list per table.
 * @param oids tables that get a list, even an empty one
 */
export function groupBy<R, T>(
  oids: readonly number[],
  rows: readonly R[],
  oidOf: (row: R) => number,
  convert: (row: R) => T,
): Map<number, T[]> {
  const groups = new Map<number, T[]>(oids.map((oid) => [oid, []]));
  for (const row of rows) groups.get(oidOf(row))?.push(convert(row));
  return groups;
}
