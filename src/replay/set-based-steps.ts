/** The statements of the set-based path for one batch, in order. */
import type { BatchContents, TableBatch } from './batch-contents.ts';
import {
  addWholeRows,
  deleteNet,
  insertNet,
  insertStaged,
  reduceToNet,
  removeWholeRows,
  replaceNet,
  updateNet,
} from './net-effect.ts';
import type { RowPlan } from './row-plan.ts';
import { NetTally, num, type Outcomes, type ResultRow } from './table-outcome.ts';

/**
 * How rows are written. direct: tables with only inserts get them as they are; net: update what exists, insert the rest;
 * late: as net, but rows that go do so last, when nothing refers to them any more and no foreign key takes others with them;
 * replace: delete what exists, insert what stands afterwards.
 */
export type Method = 'direct' | 'net' | 'late' | 'replace';

/** A statement and what to do with its result. */
export interface Step {
  readonly sql: string;
  readonly take?: (rows: readonly ResultRow[], affected: number) => void;
}

/** Methods to try in turn when constraints are in the way of the one before. */
export function methodsFor(contents: BatchContents): Method[] {
  const keyed = contents.tables.filter((table) => table.route.style === 'key');
  const late = keyed.some((table) => table.route.referenced && table.removes);
  return [
    ...(late ? (['late'] as const) : []),
    ...(!late && keyed.some((table) => table.insertsOnly && table.route.keyUnique)
      ? (['direct'] as const)
      : []),
    'net',
    ...(keyed.length > 0 && keyed.every((table) => table.route.replaceable) ? (['replace'] as const) : []),
  ];
}

/** Deletes come first (last by method late), referencing tables before referenced ones; updates and inserts the other way round. */
export function setBasedSteps(contents: BatchContents, method: Method, outcomes: Outcomes): Step[] {
  const steps: Step[] = contents.truncated.map((route) => ({ sql: route.empty }));
  const tables = [...contents.tables].sort((a, b) => a.route.rank - b.route.rank);
  const isDirect = (table: TableBatch): boolean =>
    table.route.style === 'insert_only' ||
    (method === 'direct' && table.insertsOnly && table.route.style === 'key' && table.route.keyUnique);
  const tallies = new Map<RowPlan, NetTally>();
  for (const table of tables) {
    if (table.route.style !== 'key' || isDirect(table)) continue;
    for (const plan of table.plans) tallies.set(plan, new NetTally(plan, outcomes.of(table.route)));
    steps.push({
      sql: reduceToNet(table.plans, table),
      take: (rows) => {
        for (const plan of table.plans)
          tallies.get(plan)?.expect(rows.find((row) => Number(row.plan_id) === plan.id));
      },
    });
  }
  const deletes = [...tallies]
    .reverse()
    .flatMap(([plan, tally]) =>
      throughIndex(plan, { sql: deleteNet(plan), take: ([row]) => tally.removed(row) }),
    );
  if (method !== 'replace' && method !== 'late') steps.push(...deletes);
  for (const [plan, tally] of method === 'replace' ? [...tallies].reverse() : []) {
    const { keep, remove } = replaceNet(plan);
    const take: Step['take'] = ([row]) => {
      tally.removed(row);
      tally.updated(row);
    };
    steps.push(...throughIndex(plan, ...(keep ? [{ sql: keep }] : []), { sql: remove, take }));
  }
  for (const table of tables) {
    if (table.route.style === 'whole_row') {
      steps.push(...wholeRowSteps(table, outcomes));
    } else if (isDirect(table)) {
      const outcome = outcomes.of(table.route);
      for (const plan of table.plans) {
        steps.push({
          sql: insertStaged(plan, table),
          take: (_rows, affected) => {
            outcome.inserted += affected;
          },
        });
      }
    } else {
      for (const plan of table.plans) steps.push(...upsertSteps(plan, method, tallies.get(plan)));
    }
  }
  return method === 'late' ? [...steps, ...deletes] : steps;
}

function upsertSteps(plan: RowPlan, method: Method, tally: NetTally | undefined): Step[] {
  if (method === 'replace') return [{ sql: replaceNet(plan).add, take: () => tally?.insertedRest() }];
  return throughIndex(
    plan,
    { sql: updateNet(plan), take: ([row]) => tally?.updated(row) },
    { sql: insertNet(plan), take: () => tally?.insertedRest() },
  );
}

function wholeRowSteps(table: TableBatch, outcomes: Outcomes): Step[] {
  const outcome = outcomes.of(table.route);
  const adds = table.plans.map(
    (plan): Step => ({
      sql: addWholeRows(plan, table),
      take: ([row]) => {
        outcome.inserted += num(row, 'inserted');
      },
    }),
  );
  const removes = table.plans.map(
    (plan): Step => ({
      sql: removeWholeRows(plan, table),
      take: ([row]) => {
        outcome.deleted += num(row, 'deleted');
        outcome.deleteMissing += num(row, 'delete_missing');
      },
    }),
  );
  return [...adds, ...removes];
}

const INDEX_ONLY = ['enable_hashjoin', 'enable_mergejoin', 'enable_seqscan'];

/** Go through the key's index row by row: the temporary tables have no statistics, and a scan of a big table would be the price of a wrong guess. */
function throughIndex(plan: RowPlan, ...steps: Step[]): Step[] {
  if (!plan.route.keyIndexed) return steps;
  const set = (value: string): Step[] => INDEX_ONLY.map((name) => ({ sql: `set local ${name} = ${value}` }));
  return [...set('off'), ...steps, ...set('on')];
}
