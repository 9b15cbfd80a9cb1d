/** Compares what a node has with what its provider has: tables, sequences, triggers. Changes nothing. */
import type { LondisteConfig } from '../../config/load-config.ts';
import { remoteLocation } from '../../config/remote-nodes.ts';
import { type ForeignKey, readForeignKeys } from '../../db/catalog/foreign-keys.ts';
import type { Session } from '../../db/session.ts';
import { KajaError } from '../../errors/kaja-error.ts';
import { parseDict } from '../../queue/urlencoded-dict.ts';
import { readColumnMap } from '../../tables/column-map.ts';
import { chooseNames } from '../../tables/expand-names.ts';
import { checkCondition } from '../../tables/row-filter.ts';
import { pairColumns } from '../check-structure.ts';
import { completeSide, openSide, probeApply } from '../open-side.ts';
import type { Pair, Side, WatchedTable } from '../side.ts';
import { columnDifferences } from './column-differences.ts';
import type { Difference } from './difference.ts';
import { type ForeignKeyTarget, foreignKeyDifferences } from './foreign-key-differences.ts';
import { constraintDifferences, indexDifferences } from './index-differences.ts';
import { readPresent } from './present.ts';
import { sequenceDifferences } from './sequence-differences.ts';
import { createMissing, readTablePair, type TablePair } from './table-pair.ts';
import { triggerDifferences } from './trigger-differences.ts';
import { typeDifferences } from './type-differences.ts';

/** What takes less is over before anybody could read how far it is. */
const PROGRESS_AFTER_MS = 1_000;

/** What to check. */
export interface CheckRequest {
  readonly config: LondisteConfig;
  /** Names or patterns of tables; none: all local ones, and the sequences. */
  readonly words: readonly string[];
  readonly signal?: AbortSignal | undefined;
  readonly onProgress: (done: number, total: number) => void;
}

/** What was found. */
export interface CheckOutcome {
  readonly node: string;
  /** Null on a root, which is looked at by itself. */
  readonly provider: string | null;
  readonly differences: readonly Difference[];
  readonly refused: readonly { readonly tableName: string; readonly reason: string }[];
  readonly tables: number;
  readonly sequences: number;
}

/**
 * Check a node.
 * @throws KajaError not-a-node (exit code 2) and those of connecting
 */
export async function checkNode(request: CheckRequest): Promise<CheckOutcome> {
  const { config, signal } = request;
  const queue = config.queueName;
  const opened: Session[] = [];
  const open = async (location: string, role: 'node' | 'provider'): Promise<Side> => {
    const { side } = await openSide({ location, role, queue, config, signal });
    opened.push(side.session);
    if (!side.node)
      throw new KajaError('not-a-node', `${side.where} is no node of queue ${queue}`, {
        exitCode: 2,
        hint: 'create the node first: create-root or create-leaf',
      });
    const apply =
      role === 'node' && side.node.type !== 'root'
        ? await probeApply(side.session, config.applyRole)
        : undefined;
    return (await completeSide(side, apply, {})).side;
  };
  try {
    const subscriber = await open(config.db, 'node');
    const choice = chooseNames({
      words: request.words,
      all: request.words.length === 0,
      force: false,
      candidates: subscriber.tables.map((one) => one.table),
      processed: [],
    });
    const refused = choice.unknown.map((tableName) => ({
      tableName,
      reason: `Table not subscribed: ${tableName}`,
    }));
    const tables = subscriber.tables.filter((one) => choice.names.includes(one.table));
    const outcome = { node: subscriber.node?.name ?? '', tables: tables.length, sequences: 0 };
    if (subscriber.node?.type === 'root') {
      const differences = [
        ...tables.filter((one) => !one.relation).map(goneHere),
        ...(await triggerDifferences(subscriber, tables, 'here')),
      ];
      return { ...outcome, provider: null, differences, refused };
    }
    const provider = await open(
      remoteLocation(subscriber.node?.providerLocation ?? '', config.remoteExtraConnstr),
      'provider',
    );
    const found = await checkPair({ provider, subscriber }, tables, request);
    return {
      ...outcome,
      provider: provider.node?.name ?? '',
      sequences: found.sequences,
      differences: found.differences,
      refused: [...refused, ...found.refused],
    };
  } finally {
    await Promise.all(opened.map((session) => session.close()));
  }
}

const tableDifference = (table: WatchedTable, what: string, hint: string): Difference => ({
  weight: 'error',
  kind: 'table',
  table: table.table,
  object: table.name,
  what,
  hint,
  ddl: [],
});

const goneHere = (table: WatchedTable): Difference =>
  tableDifference(table, `table ${table.name} does not exist`, `kaja INI remove-table ${table.table}`);

async function checkPair(
  pair: Pair,
  tables: readonly WatchedTable[],
  request: CheckRequest,
): Promise<Pick<CheckOutcome, 'differences' | 'refused' | 'sequences'>> {
  const { provider, subscriber } = pair;
  const differences: Difference[] = [];
  const refused: { tableName: string; reason: string }[] = [];
  const pairs: TablePair[] = [];
  const sources: WatchedTable[] = [];
  const started = performance.now();
  for (const [done, table] of tables.entries()) {
    if (performance.now() - started > PROGRESS_AFTER_MS) request.onProgress(done, tables.length);
    const source = provider.tables.find((one) => one.table === table.table);
    if (!source?.relation) {
      differences.push(
        tableDifference(
          table,
          `table ${table.table} is replicated here and the provider does not have it`,
          `kaja INI remove-table ${table.table}, or add it on the provider`,
        ),
      );
      continue;
    }
    sources.push(source);
    try {
      if (!table.relation) {
        const missing = tableDifference(
          table,
          `table ${table.name} does not exist here`,
          `then: kaja INI resync ${table.table}`,
        );
        differences.push({ ...missing, ddl: await createMissing(pair, source, table) });
      } else pairs.push(await readTablePair(pair, source, table));
    } catch (error) {
      if (!(error instanceof KajaError) || error.code !== 'table-unfit') throw error;
      refused.push({ tableName: table.table, reason: error.message });
    }
  }
  const present = await readPresent(subscriber.session, pairs);
  differences.push(...typeDifferences(pairs, present.types));
  const taken = new Set(present.relations);
  for (const one of pairs)
    differences.push(
      ...columnDifferences(one, present),
      ...indexDifferences(one, taken),
      ...constraintDifferences(one),
    );
  differences.push(...(await filterDifferences(pair, pairs)), ...(await references(pair, pairs)));
  const sequences = await sequenceDifferences(pair, pairs, request.words.length === 0);
  differences.push(...sequences.list);
  differences.push(...(await triggerDifferences(provider, sources, 'provider')));
  differences.push(...(await triggerDifferences(subscriber, tables, 'here')));
  return { differences: byTable(differences), refused, sequences: sequences.compared };
}

/** Findings of one table stand together, the worst first. */
function byTable(list: readonly Difference[]): Difference[] {
  const weights = ['error', 'warning', 'note'];
  const tables = [...new Set(list.map((one) => one.table))];
  return list.toSorted(
    (a, b) =>
      tables.indexOf(a.table) - tables.indexOf(b.table) ||
      weights.indexOf(a.weight) - weights.indexOf(b.weight),
  );
}

async function references(pair: Pair, pairs: readonly TablePair[]): Promise<Difference[]> {
  const { provider, subscriber } = pair;
  const oidsOf = (side: 'source' | 'dest'): number[] => pairs.map((one) => one[side].source.relation.oid);
  const [theirs, ours, pending] = await Promise.all([
    readForeignKeys(provider.session, oidsOf('source')),
    readForeignKeys(subscriber.session, oidsOf('dest')),
    subscriber.session.query<{ name: string }>(
      `select from_table || ' ' || fkey_name as name from londiste.pending_fkeys`,
    ),
  ]);
  return foreignKeyDifferences({
    pairs,
    targets: await readTargets(pair, theirs),
    theirs,
    ours,
    pending: new Set(pending.map((row) => row.name)),
    role: subscriber.apply?.role ?? 'replica',
  });
}

async function readTargets(
  { provider, subscriber }: Pair,
  keys: readonly ForeignKey[],
): Promise<Map<number, ForeignKeyTarget>> {
  const targets = new Map<number, ForeignKeyTarget>();
  for (const source of provider.tables) {
    const oid = source.relation?.oid;
    const dest = subscriber.tables.find((one) => one.table === source.table);
    if (oid === undefined || !dest?.relation || !keys.some((key) => key.toOid === oid)) continue;
    const map = await readColumnMap(subscriber.session, subscriber.queue ?? '', dest.table);
    targets.set(oid, { name: dest.name, columns: pairColumns(source.columns, dest.columns, map) });
  }
  return targets;
}

/** The node's row filters are conditions over the provider's columns. */
async function filterDifferences(
  { provider, subscriber }: Pair,
  pairs: readonly TablePair[],
): Promise<Difference[]> {
  const rows = await subscriber.session.query<{ table: string; attrs: string | null }>(
    'select table_name as "table", table_attrs as attrs from londiste.table_info where queue_name = $1 and local',
    [subscriber.queue],
  );
  const list: Difference[] = [];
  for (const pair of pairs) {
    const attrs = parseDict(rows.find((one) => one.table === pair.table)?.attrs ?? null);
    for (const condition of [attrs.get('where') ?? []].flat()) {
      const failed = await checkCondition(
        provider.session,
        pair.source.source.relation.fqName,
        condition,
      ).then(() => undefined, refusal);
      if (failed)
        list.push({
          weight: 'error',
          kind: 'filter',
          table: pair.table,
          object: condition,
          what: `filter does not work on the provider: ${failed.message}`,
          hint: `kaja INI remove-table ${pair.table}, and add-table it with another --where`,
          ddl: [],
        });
    }
  }
  return list;
}

function refusal(error: unknown): KajaError {
  if (error instanceof KajaError && error.code === 'state-refused') return error;
  throw error;
}
