/** Some of the differing rows with their values, for people to look at. Here, and only here, values of rows become JavaScript's: as texts. */
import type { Session } from '../db/session.ts';
import type { DifferenceKind } from './find-differences.ts';
import type { Moment } from './moment.ts';
import { keyIsIn, rowHash, rowKey, rowTexts, type Side, whereOf } from './row-sql.ts';
import type { Subject } from './subject.ts';

/** Values by the provider's column names, as text. */
export type RowTexts = Readonly<Record<string, string | null>>;

/** One differing row. */
export interface Sample {
  readonly kind: DifferenceKind;
  /** Its key columns, or all columns of a table without key. */
  readonly row: RowTexts;
  /** Columns that differ; empty unless the row is on both sides. */
  readonly columns: readonly string[];
  readonly source: RowTexts | null;
  readonly dest: RowTexts | null;
}

/**
 * Read some of them, by key.
 * @param limit how many at most
 */
export async function sampleDifferences(moment: Moment, subject: Subject, limit: number): Promise<Sample[]> {
  const here = moment.here[0] as Session;
  const provider = moment.provider[0] as Session;
  const found = await here.query<{ kind: DifferenceKind; key: string[] }>(
    `select case when theirs > ours then 'missing' when ours > theirs then 'extra' else 'different' end as kind, k as key
       from pg_temp.kaja_diff order by k limit $1`,
    [limit],
  );
  const keys = found.map((one) => one.key);
  const [theirs, ours] = await Promise.all([
    rowsByKey(provider, subject.source, keys),
    rowsByKey(here, subject.dest, keys),
  ]);
  const names = subject.source.columns.map((column) => column.name);
  const keyNames = subject.source.keys.map((column) => column.name);
  return found.map(({ kind, key }): Sample => {
    const id = JSON.stringify(key);
    const source = kind === 'extra' ? undefined : theirs.get(id);
    const dest = kind === 'missing' ? undefined : ours.get(id);
    return {
      kind,
      row:
        keyNames.length > 0
          ? Object.fromEntries(keyNames.map((name, n) => [name, key[n] ?? null]))
          : named(names, source ?? dest ?? []),
      columns: source && dest ? names.filter((_, n) => source[n] !== dest[n]) : [],
      source: source ? named(names, source) : null,
      dest: dest ? named(names, dest) : null,
    };
  });
}

const named = (names: readonly string[], values: readonly (string | null)[]): RowTexts =>
  Object.fromEntries(names.map((name, n) => [name, values[n] ?? null]));

/** Texts of one row per key; of rows without a key, which are found by their hash, all are the same. */
async function rowsByKey(
  session: Session,
  side: Side,
  keys: readonly string[][],
): Promise<Map<string, (string | null)[]>> {
  // As a parameter: a standby has no temporary tables.
  const given = `(select array(select json_array_elements_text(g.kaja_key) collate "C") as k from json_array_elements($1::json) g (kaja_key))`;
  const match =
    side.keys.length > 0
      ? keyIsIn(side, given)
      : `(${rowHash(side)})::text in (select x.k[1] from ${given} x)`;
  const rows = await session.query<{ key: string[]; texts: (string | null)[] }>(
    `select ${rowKey(side)} as key, ${rowTexts(side)} as texts from ${side.from} t${whereOf(side.filter, match)}`,
    [JSON.stringify(keys)],
  );
  return new Map(rows.map((row) => [JSON.stringify(row.key), row.texts]));
}
