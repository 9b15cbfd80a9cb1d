/** Counters of what was applied to one table. */
import type { RowPlan, TableRoute } from './row-plan.ts';

/** Rows written to one table and where they met something unexpected. */
export interface TableOutcome {
  inserted: number;
  updated: number;
  deleted: number;
  updateMissing: number;
  deleteMissing: number;
  insertFound: number;
}

/** A row of a result. */
export type ResultRow = Record<string, unknown>;

/** A counter in a result row; absent counts as 0. */
export const num = (row: ResultRow | undefined, key: string): number => Number(row?.[key] ?? 0);

/** Add one outcome's counters to another's. */
export function addOutcome(sum: TableOutcome, one: TableOutcome): void {
  for (const name of Object.keys(one) as (keyof TableOutcome)[]) sum[name] += one[name];
}

/** Outcomes by logical table name, made on first use. */
export class Outcomes {
  readonly tables = new Map<string, TableOutcome>();

  of(route: TableRoute): TableOutcome {
    return this.named(route.tableName);
  }

  named(tableName: string): TableOutcome {
    const known = this.tables.get(tableName) ?? {
      inserted: 0,
      updated: 0,
      deleted: 0,
      updateMissing: 0,
      deleteMissing: 0,
      insertFound: 0,
    };
    this.tables.set(tableName, known);
    return known;
  }
}

/** Turns what the net statements of one plan found into counters: how much was written, and what was not as expected. */
export class NetTally {
  readonly #plan: RowPlan;
  readonly #outcome: TableOutcome;
  #deletesExpected = 0;
  #insertsExpected = 0;
  #upserts = 0;
  #updated = 0;
  #found = 0;

  constructor(plan: RowPlan, outcome: TableOutcome) {
    this.#plan = plan;
    this.#outcome = outcome;
  }

  expect(row: ResultRow | undefined): void {
    this.#deletesExpected = num(row, 'deletes_expected');
    this.#insertsExpected = num(row, 'inserts_expected');
    this.#upserts = num(row, 'upserts');
  }

  removed(row: ResultRow | undefined): void {
    this.#outcome.deleted += num(row, 'deleted');
    this.#outcome.deleteMissing += this.#deletesExpected - num(row, 'deleted_expected');
  }

  updated(row: ResultRow | undefined): void {
    this.#updated = num(row, 'updated');
    this.#found = num(row, 'insert_found');
    this.#outcome.updated += this.#updated;
    this.#outcome.insertFound += this.#found;
  }

  /** What was not there to be updated has been inserted. */
  insertedRest(): void {
    const inserted = this.#upserts - this.#updated;
    this.#outcome.inserted += inserted;
    // Rows that had to exist but had to be inserted. With a filter, rows may have begun to match.
    if (this.#plan.route.where === null)
      this.#outcome.updateMissing += inserted - (this.#insertsExpected - this.#found);
  }
}
