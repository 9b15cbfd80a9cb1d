/** Which tables are compared, and how each looks on both sides. */
import { quoteFqName } from '../db/names.ts';
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { parseDict } from '../queue/urlencoded-dict.ts';
import { readColumnMap } from '../tables/column-map.ts';
import { chooseNames } from '../tables/expand-names.ts';
import type { CompareContext } from './compare-context.ts';
import { commonForm, HASH_PROBE } from './hash-form.ts';
import { filterHere, type Side } from './row-sql.ts';
import { readSideColumns, type SideColumn } from './side-columns.ts';

/** A table on both sides. */
export interface Subject {
  /** Logical name. */
  readonly tableName: string;
  /** Unquoted physical name here. */
  readonly destName: string;
  readonly source: Side;
  readonly dest: Side;
  /** Columns of this node that take no part; rows cannot be written anew without losing them. */
  readonly leftOut: readonly SideColumn[];
}

/** A table that may be compared: registered here and complete. */
export interface Candidate {
  readonly tableName: string;
  readonly destName: string;
  readonly conditions: readonly string[];
}

/** What the words of a command line name. */
export interface Choice {
  readonly candidates: readonly Candidate[];
  /** Tables that cannot be compared, with the reason. */
  readonly refused: readonly { readonly tableName: string; readonly reason: string }[];
}

/**
 * Choose the tables.
 * @param words names or patterns; none: all local tables
 */
export async function chooseTables(
  context: CompareContext,
  here: Session,
  words: readonly string[],
): Promise<Choice> {
  const rows = await here.query<{
    tableName: string;
    destName: string;
    local: boolean;
    state: string | null;
    attrs: string | null;
  }>(
    `select table_name as "tableName", coalesce(dest_table, table_name) as "destName", local, merge_state as state, table_attrs as attrs
       from londiste.table_info where queue_name = $1 order by nr, table_name`,
    [context.queue],
  );
  const local = rows.filter((row) => row.local).map((row) => row.tableName);
  const choice = chooseNames({
    words,
    all: words.length === 0,
    force: false,
    candidates: local,
    processed: [],
  });
  const refused: { tableName: string; reason: string }[] = [];
  for (const tableName of choice.unknown)
    refused.push({ tableName, reason: skip(context.log, `Table not subscribed: ${tableName}`) });
  const candidates = choice.names.flatMap((name): Candidate[] => {
    const row = rows.find((one) => one.tableName === name);
    if (row?.state !== 'ok') {
      const reason = `Table ${name} not synced yet, no point`;
      context.log.info(reason);
      refused.push({ tableName: name, reason });
      return [];
    }
    const attrs = parseDict(row.attrs);
    const conditions = [attrs.get('where') ?? []].flat();
    return [{ tableName: row.tableName, destName: row.destName, conditions }];
  });
  return { candidates, refused };
}

/**
 * Look at a table on both sides.
 * @param extraConditions further conditions over the provider's columns
 * @returns the reason, after a line in the log, when it cannot be compared
 */
export async function readSubject(
  context: CompareContext,
  candidate: Candidate,
  provider: Session,
  here: Session,
  extraConditions: readonly string[],
): Promise<Subject | string> {
  const { tableName, destName } = candidate;
  const { log, queue } = context;
  const [there] = await provider.query<{ local: boolean; state: string | null; name: string }>(
    `select local, merge_state as state, coalesce(dest_table, table_name) as name from londiste.table_info
      where queue_name = $1 and table_name = $2`,
    [queue, tableName],
  );
  if (!there?.local) return skip(log, `Table not available on provider: ${tableName}`);
  if (there.state !== 'ok') return skip(log, `Table ${tableName} not ready yet on provider`);
  const [[sourceOnly, sourceColumns], [destOnly, destColumns], theirs, ours] = await Promise.all([
    readSide(provider, there.name),
    readSide(here, destName),
    hashFacts(provider),
    hashFacts(here),
  ]);
  if (sourceOnly === undefined) return skip(log, `Table ${there.name} does not exist on provider side`);
  if (destOnly === undefined) return skip(log, `Table ${destName} does not exist on subscriber side`);

  const { pairs, ignored, keys } = await pairColumns(context, candidate, here, sourceColumns, destColumns);
  if (ignored.length > 0) log.warn(`${tableName}: Ignoring some columns: ${ignored.join(', ')}`);
  if (pairs.length === 0) return skip(log, `Table ${tableName} has no column in common on both sides`);
  const leftOut = destColumns.filter((column) => !pairs.some((pair) => pair.dest.attnum === column.attnum));

  const conditions = [...candidate.conditions, ...extraConditions];
  const names = pairs.map((pair) => pair.source.name);
  const ownColumns = pairs.map((pair) => pair.dest);
  const filters = conditions.map((condition) => filterHere(condition, names, ownColumns, leftOut));
  const usable = await filterWorks(here, destName, destOnly, filters);
  if (!usable)
    log.warn(`${tableName}: filter uses columns that are not here, all rows of ${destName} are compared`);
  const toUtf8 = theirs.encoding !== ours.encoding;
  const portable = theirs.probe !== ours.probe;
  return {
    tableName,
    destName,
    source: {
      name: there.name,
      from: `${sourceOnly ? 'only ' : ''}${quoteFqName(there.name)}`,
      columns: pairs.map((pair) => pair.source),
      keys: keys.map((pair) => pair.source),
      filter: joined(conditions.map(bracketed)),
      tableFilter: joined(candidate.conditions.map(bracketed)),
      toUtf8,
      portable,
    },
    dest: {
      name: destName,
      from: `${destOnly ? 'only ' : ''}${quoteFqName(destName)}`,
      columns: ownColumns,
      keys: keys.map((pair) => pair.dest),
      filter: usable ? joined(filters) : null,
      tableFilter: usable ? joined(filters.slice(0, candidate.conditions.length)) : null,
      toUtf8,
      portable,
    },
    leftOut,
  };
}

const bracketed = (condition: string): string => `(${condition}\n)`;
const joined = (conditions: readonly string[]): string | null =>
  conditions.length > 0 ? conditions.join(' and ') : null;

function skip(log: CompareContext['log'], reason: string): string {
  log.warn(reason);
  return reason;
}

/** A plain table is read without its inheritance children; undefined: there is no such table. */
async function isPlain(session: Session, name: string): Promise<boolean | undefined> {
  const kind = await session.value<string>('select relkind::text from pg_class where oid = to_regclass($1)', [
    quoteFqName(name),
  ]);
  return kind === undefined ? undefined : kind === 'r';
}

const readSide = async (session: Session, name: string): Promise<[boolean | undefined, SideColumn[]]> => [
  await isPlain(session, name),
  await readSideColumns(session, name),
];

interface HashFacts {
  readonly encoding: string;
  readonly probe: string;
}

/* They do not change while a session lives, which compares many tables. */
const knownFacts = new WeakMap<Session, Promise<HashFacts>>();

/** What must be the same on both servers for the fast hash. */
function hashFacts(session: Session): Promise<HashFacts> {
  const known =
    knownFacts.get(session) ??
    session.one<HashFacts>(`select current_setting('server_encoding') as encoding, (${HASH_PROBE}) as probe`);
  knownFacts.set(session, known);
  return known;
}

interface Pair {
  readonly source: SideColumn;
  readonly dest: SideColumn;
}

function agreed(source: SideColumn, dest: SideColumn, exact: boolean): Pair {
  const common = { form: commonForm(source, dest, exact), present: source.notNull && dest.notNull };
  return { source: { ...source, ...common }, dest: { ...dest, ...common } };
}

async function pairColumns(
  context: CompareContext,
  { tableName, destName }: Candidate,
  here: Session,
  source: readonly SideColumn[],
  dest: readonly SideColumn[],
): Promise<{ pairs: Pair[]; ignored: string[]; keys: Pair[] }> {
  const maps = await readColumnMap(here, context.queue, tableName);
  const ignored: string[] = [];
  const keyed: { pair: Pair; position: number }[] = [];
  const pairs = source.flatMap((column): Pair[] => {
    const map = maps.find((one) => one.sourceAttnum === column.attnum);
    const to = dest.find((one) => (map ? one.attnum === map.destAttnum : one.name === column.name));
    // A column that only this node generates has values of its own.
    if (!to || (to.generated && !column.generated)) {
      if (!map || map.destAttnum !== null) ignored.push(column.name);
      return [];
    }
    const pair = agreed(column, to, context.exact);
    if (map?.keyPosition) keyed.push({ pair, position: map.keyPosition });
    return [pair];
  });
  for (const column of dest)
    if (!pairs.some((pair) => pair.dest.attnum === column.attnum) && !ignored.includes(column.name))
      ignored.push(column.name);
  const style = await here.value<string>(
    'select style from kaja.table_copy where queue_name = $1 and table_name = $2',
    [context.queue, tableName],
  );
  if (style === 'whole_row' || style === 'insert_only') return { pairs, ignored, keys: [] };
  if (maps.length === 0) return { pairs, ignored, keys: await primaryKey(here, destName, pairs) };
  const keys = keyed.sort((a, b) => a.position - b.position).map((one) => one.pair);
  return { pairs, ignored, keys };
}

/** A table that was registered without a column map is matched by the primary key here, when all of it is compared. */
async function primaryKey(here: Session, destName: string, pairs: readonly Pair[]): Promise<Pair[]> {
  const [row] = await here.query<{ key: number[] }>(
    'select indkey::int2[] as key from pg_index where indisprimary and indrelid = to_regclass($1)',
    [quoteFqName(destName)],
  );
  const found = (row?.key ?? []).flatMap((attnum) => pairs.find((pair) => pair.dest.attnum === attnum) ?? []);
  return found.length === row?.key.length ? found : [];
}

/** Would the filter compile here? Tried under a savepoint, since this transaction is the snapshot. */
async function filterWorks(
  here: Session,
  destName: string,
  only: boolean,
  filters: readonly string[],
): Promise<boolean> {
  if (filters.length === 0) return true;
  await here.query('savepoint kaja_filter');
  try {
    await here.query(
      `select 1 from ${only ? 'only ' : ''}${quoteFqName(destName)} t where ${filters.join(' and ')} limit 0`,
    );
    await here.query('release savepoint kaja_filter');
    return true;
  } catch (error) {
    if (!(error instanceof KajaError) || !/^42/.test(String(error.context.sqlstate ?? ''))) throw error;
    await here.query('rollback to savepoint kaja_filter');
    return false;
  }
}
