/** Row plans of an apply session: shapes of the provider mapped to columns of this node, kept until something changes. */
import { quoteIdent } from '../db/names.ts';
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import type { PlanRequest } from './batch-contents.ts';
import { type PlanColumn, type RowPlan, rowType, rowTypeColumns, type TableRoute } from './row-plan.ts';

interface SourceColumn {
  readonly name: string;
  /** Attribute number on the root; null when the event does not say. */
  readonly attnum: number | null;
}

interface MapRow {
  tableName: string;
  sourceAttnum: number;
  sourceName: string;
  destAttnum: number | null;
  keyPosition: number | null;
}

/** What this node knows of a queue's tables: maps by table, columns of shapes by id. */
interface Known {
  readonly maps: ReadonlyMap<string, readonly MapRow[]>;
  readonly shapes: Map<string, string>;
}

interface DestColumn {
  dest: string;
  attnum: number;
  name: string;
  type: string;
  generated: boolean;
  identityAlways: boolean;
  equals: string;
}

/** Finds plans. One per session, for its whole life: after a failed batch both are replaced. */
export class PlanCache {
  readonly #target: Session;
  readonly #source: () => Session;
  readonly #queue: string;
  readonly #plans = new Map<string, RowPlan>();
  /** Numbers of the row types that the session has, by their columns. */
  readonly #rowTypes = new Map<string, number>();
  #uncommitted: { plans: string[]; rowTypes: string[] } = { plans: [], rowTypes: [] };
  #known: Promise<Known> | undefined;
  #next = 1;

  /**
   * @param target session that applies; its temporary types belong to the plans
   * @param source session on the provider, asked for shapes that are new here
   */
  constructor(target: Session, source: () => Session, queue: string) {
    this.#target = target;
    this.#source = source;
    this.#queue = queue;
  }

  /**
   * Plans for rows of these shapes, in the same order. What is new is asked for and made for all tables at once.
   * @throws KajaError column-missing: the provider has a column that this node lacks
   */
  async find(wanted: readonly PlanRequest[]): Promise<RowPlan[]> {
    const fresh = wanted.filter((one) => !this.#plans.has(keyOf(one)));
    if (fresh.length > 0) await this.#makeAll(fresh);
    return wanted.map((one) => this.#plans.get(keyOf(one)) as RowPlan);
  }

  /** Can the plans be found without asking the provider? */
  async findsHere(wanted: readonly PlanRequest[]): Promise<boolean> {
    const fresh = wanted.filter((one) => !this.#plans.has(keyOf(one)));
    if (fresh.length === 0) return true;
    const { shapes } = await this.#readKnown();
    return fresh.every(({ shape }) => shapes.has(shape));
  }

  /** The transaction in which plans may have been found was committed. */
  committed(): void {
    this.#uncommitted = { plans: [], rowTypes: [] };
  }

  /** The transaction in which plans may have been found was rolled back: their new temporary types went with it. */
  rolledBack(): void {
    for (const key of this.#uncommitted.plans) this.#plans.delete(key);
    for (const text of this.#uncommitted.rowTypes) this.#rowTypes.delete(text);
    this.committed();
  }

  /** Read shapes, maps and columns anew: tables changed. Numbers of temporary types go on, the old types are still there. */
  clear(): void {
    this.#plans.clear();
    this.#rowTypes.clear();
    this.committed();
    this.#known = undefined;
  }

  async #makeAll(wanted: readonly PlanRequest[]): Promise<void> {
    const dest = await this.#readDestColumns(wanted);
    const plans = new Map<string, RowPlan>();
    const types = new Map<string, number>();
    for (const { route, shape } of wanted) {
      const present = dest.get(route.dest) ?? [];
      const columns = await this.#matchColumns({ route, shape }, present);
      const text = rowTypeColumns(columns);
      const rowTypeId = this.#rowTypes.get(text) ?? types.get(text) ?? this.#next++;
      if (!this.#rowTypes.has(text)) types.set(text, rowTypeId);
      const taken = new Set(columns.map((column) => column.dest));
      const ownColumns = present
        .filter((column) => !column.generated)
        .map((column) => quoteIdent(column.name))
        .filter((name) => !taken.has(name));
      // The request may carry the batch's rows: they must not stay.
      const plan = { id: this.#next++, rowTypeId, route, shape, columns, ownColumns };
      plans.set(keyOf(plan), plan);
    }
    const create = [...types].map(
      ([text, rowTypeId]) => `create type ${rowType({ rowTypeId })} as (${text})`,
    );
    if (create.length > 0) await this.#target.query(create.join('; '));
    for (const [text, id] of types) this.#rowTypes.set(text, id);
    for (const [key, plan] of plans) this.#plans.set(key, plan);
    if (!this.#target.inTransaction) return;
    this.#uncommitted.plans.push(...plans.keys());
    this.#uncommitted.rowTypes.push(...types.keys());
  }

  /** Columns of this node's tables, by the tables' quoted names. */
  async #readDestColumns(wanted: readonly PlanRequest[]): Promise<Map<string, DestColumn[]>> {
    const rows = await this.#target.query<DestColumn>(
      `select d.dest, a.attnum::int, a.attname as name, format_type(a.atttypid, a.atttypmod) as type, a.attgenerated <> '' as generated,
              a.attidentity = 'a' as "identityAlways", kaja.equality_operator(a.atttypid) as equals
         from unnest($1::text[]) d(dest) join pg_attribute a on a.attrelid = d.dest::regclass and a.attnum > 0 and not a.attisdropped
        order by d.dest, a.attnum`,
      [[...new Set(wanted.map(({ route }) => route.dest))]],
    );
    const byTable = new Map<string, DestColumn[]>();
    for (const row of rows) {
      const columns = byTable.get(row.dest);
      if (columns) columns.push(row);
      else byTable.set(row.dest, [row]);
    }
    return byTable;
  }

  /* All tables at once: with a thousand of them, asking for each would take seconds. */
  #readKnown(): Promise<Known> {
    this.#known ??= (async () => {
      const maps = await this.#target.query<MapRow>(
        `select table_name as "tableName", source_attnum as "sourceAttnum", source_name as "sourceName", dest_attnum as "destAttnum", key_position as "keyPosition"
           from kaja.column_map where queue_name = $1`,
        [this.#queue],
      );
      const shapes = await this.#target.query<{ id: string; columns: string }>(
        'select shape_id as id, columns::text from kaja.shape',
      );
      const byTable = new Map<string, MapRow[]>();
      for (const map of maps) byTable.set(map.tableName, [...(byTable.get(map.tableName) ?? []), map]);
      return { maps: byTable, shapes: new Map(shapes.map(({ id, columns }) => [id, columns])) };
    })();
    this.#known.catch(() => {
      this.#known = undefined;
    });
    return this.#known;
  }

  /** The shape's columns, and what becomes of each here. */
  async #matchColumns({ route, shape }: PlanRequest, dest: readonly DestColumn[]): Promise<PlanColumn[]> {
    const source = await this.#readShape(route, shape);
    const maps = (await this.#readKnown()).maps.get(route.tableName) ?? [];
    const columns = source.map((column): PlanColumn => {
      const map =
        maps.find((one) => one.sourceAttnum === column.attnum) ??
        maps.find((one) => column.attnum === null && one.sourceName === column.name);
      const found = map
        ? dest.find((one) => one.attnum === map.destAttnum)
        : dest.find((one) => one.name === column.name);
      // A mapped column that is gone here was dropped or left out on purpose.
      if (!found && !map) throw columnMissing(route, column.name);
      const written = found && !found.generated;
      return {
        sourceName: column.name,
        dest: written ? quoteIdent(found.name) : null,
        type: written ? found.type : 'text',
        key: (map?.keyPosition ?? null) !== null,
        updatable: written === true && !found.identityAlways,
        equals: found?.equals ?? '=',
      };
    });
    const keys = maps.filter((map) => map.keyPosition !== null).length;
    const present = columns.filter((column) => column.key && column.dest !== null).length;
    if (route.style === 'key' && (keys === 0 || present < keys)) {
      throw new KajaError(
        'table-unfit',
        `key columns of table ${route.tableName} are missing in its events or on this node`,
        {
          hint: `remove-table and add-table it again, or restore the key`,
        },
      );
    }
    return columns;
  }

  /** Columns of a shape: by its id from this node or the provider, or inline. */
  async #readShape(route: TableRoute, shape: string): Promise<SourceColumn[]> {
    if (shape.startsWith('{')) return parseShape(shape);
    if (shape.startsWith('[')) {
      const current = await this.#source().value<string>(
        `select kaja.columns_of(relid) from kaja.capture where queue_name = $1 and table_name = $2`,
        [this.#queue, route.tableName],
      );
      const attnums = new Map(parseShape(current ?? '{}').map((column) => [column.name, column.attnum]));
      return (JSON.parse(shape) as string[]).map((name) => ({ name, attnum: attnums.get(name) ?? null }));
    }
    const read = 'select columns::text from kaja.shape where shape_id = $1';
    const { shapes } = await this.#readKnown();
    const local = shapes.get(shape);
    if (local !== undefined) return parseShape(local);
    const remote = await this.#source().value<string>(read, [shape]);
    if (remote === undefined) {
      throw new KajaError(
        'apply.unknown-shape',
        `events of table ${route.tableName} have row shape ${shape}, which the provider does not know`,
        {
          hint: 'restore kaja.shape on the provider, or resync the table',
        },
      );
    }
    await this.#target.query(
      'insert into kaja.shape (shape_id, columns) values ($1, $2) on conflict do nothing',
      [shape, remote],
    );
    shapes.set(shape, remote);
    return parseShape(remote);
  }
}

const keyOf = ({ route, shape }: PlanRequest): string => JSON.stringify([route, shape]);

/**
 * Copy the provider's shapes to this node, so that a batch which is streaming need not stop and ask. An id stands for the same
 * columns everywhere.
 */
export async function learnShapes(source: Session, target: Session): Promise<void> {
  const known = await target.value<string[]>(`select coalesce(array_agg(shape_id), '{}') from kaja.shape`);
  const fresh = await source.query<{ id: string; columns: string }>(
    'select shape_id as id, columns::text as columns from kaja.shape where shape_id <> all ($1::text[])',
    [known],
  );
  if (fresh.length === 0) return;
  await target.query(
    'insert into kaja.shape (shape_id, columns) select * from unnest($1::text[], $2::json[]) on conflict do nothing',
    [fresh.map((shape) => shape.id), fresh.map((shape) => shape.columns)],
  );
}

/** Columns of a shape as JSON object, in order. Numeric-looking names would lose their place in a JavaScript object. */
function parseShape(text: string): SourceColumn[] {
  const columns: SourceColumn[] = [];
  for (const match of text.matchAll(/("(?:[^"\\]|\\.)*")\s*:\s*(\d+)/g)) {
    columns.push({ name: JSON.parse(match[1] ?? '""') as string, attnum: Number(match[2]) });
  }
  return columns;
}

/** The error that stops a table's node until its structure is mended. */
export function columnMissing(route: TableRoute, column: string): KajaError {
  return new KajaError(
    'column-missing',
    `column ${quoteIdent(column)} of table ${route.tableName} does not exist in ${route.dest} on this node`,
    {
      hint: `alter table ${route.dest} add column ${quoteIdent(column)} with the provider's type; the batch is kept and tried again`,
    },
  );
}
