/** Keeps which ranges of a table were equal: kaja.compare_range on this node. */
import type { Session } from '../db/session.ts';
import type { KeyRange } from './buckets.ts';
import type { Checksum } from './checksum.ts';

/** A range that was equal on both sides. */
export type DoneRange = KeyRange & Checksum;

/** Ranges wait so long to be stored together. */
const STORE_AFTER_MS = 1_000;

/** The ranges of one table of a run. */
export class RangeRecord {
  /** Those of a process that was stopped, in the order of the keys. */
  readonly done: readonly DoneRange[];
  /** Tick of the newest of them; null without any. */
  readonly doneTick: bigint | null;
  readonly #session: Session;
  readonly #run: bigint;
  readonly #table: string;
  readonly #tick: bigint;
  #waiting: DoneRange[] = [];
  #stored = Number.NEGATIVE_INFINITY;

  private constructor(
    session: Session,
    place: { run: bigint; table: string; tick: bigint },
    found: readonly (DoneRange & { tick: bigint })[],
  ) {
    this.#session = session;
    this.#run = place.run;
    this.#table = place.table;
    this.#tick = place.tick;
    this.done = found;
    this.doneTick = found.reduce<bigint | null>(
      (most, one) => (most === null || one.tick > most ? one.tick : most),
      null,
    );
  }

  /**
   * Read what is there of a table.
   * @param tick the moment of this process
   */
  static async open(session: Session, run: bigint, table: string, tick: bigint): Promise<RangeRecord> {
    const rows = await session.query<{ lo: bigint; hi: bigint; rows: bigint; sum: string; tick: bigint }>(
      `select lo, hi, rows, checksum::text as sum, tick_id as tick from kaja.compare_range
        where run_id = $1 and table_name = $2 order by lo`,
      [run, table],
    );
    return new RangeRecord(
      session,
      { run, table, tick },
      rows.map((row) => ({ ...row, sum: BigInt(row.sum) })),
    );
  }

  /** A range is equal. Stored at once, or together with those of the next second. */
  async note(range: DoneRange): Promise<void> {
    this.#waiting.push(range);
    if (performance.now() - this.#stored >= STORE_AFTER_MS) await this.flush();
  }

  /** Store what waits. Nothing is lost when this fails: it is compared again. */
  async flush(): Promise<void> {
    const ranges = joined(this.#waiting);
    this.#waiting = [];
    if (ranges.length === 0 || this.#session.closed) return;
    this.#stored = performance.now();
    await this.#session
      .execute(
        `insert into kaja.compare_range (run_id, table_name, lo, hi, rows, checksum, tick_id)
         select $1, $2, r.lo, r.hi, r.rows, r.sum, $3 from unnest($4::int8[], $5::int8[], $6::int8[], $7::numeric[]) as r (lo, hi, rows, sum)
         on conflict do nothing`,
        [
          this.#run,
          this.#table,
          this.#tick,
          ranges.map((one) => one.lo),
          ranges.map((one) => one.hi),
          ranges.map((one) => one.rows),
          ranges.map((one) => String(one.sum)),
        ],
      )
      .catch(() => {});
  }

  /** The table is through. */
  async clear(): Promise<void> {
    await this.#session.execute('delete from kaja.compare_range where run_id = $1 and table_name = $2', [
      this.#run,
      this.#table,
    ]);
  }
}

/** Neighbours as one. */
function joined(ranges: readonly DoneRange[]): DoneRange[] {
  const list: DoneRange[] = [];
  for (const one of [...ranges].sort((a, b) => (a.lo < b.lo ? -1 : 1))) {
    const last = list.at(-1);
    if (last && last.hi + 1n === one.lo)
      list[list.length - 1] = {
        lo: last.lo,
        hi: one.hi,
        rows: last.rows + one.rows,
        sum: last.sum + one.sum,
      };
    else list.push(one);
  }
  return list;
}
