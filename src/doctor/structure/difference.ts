/** What `check` has to say: one difference between the definitions of both sides, and the statements that end it. */

/** `error`: stops replication, or makes compare differ. `warning`: will hurt some day. `note`: other, and often meant so. */
export type Weight = 'error' | 'warning' | 'note';

/** Order of the script: what others need comes first. */
export const PHASES = ['drop', 'type', 'sequence', 'table', 'column', 'index', 'reference', 'state'] as const;

/** A statement. */
export interface Ddl {
  /** Where it is to be run. */
  readonly on: 'here' | 'provider';
  readonly phase: (typeof PHASES)[number];
  /** Without semicolon. */
  readonly sql: string;
  /** Takes away something that only this side has: nobody needs to. */
  readonly optional?: boolean;
}

/** See the file. */
export interface Difference {
  readonly weight: Weight;
  readonly kind:
    | 'table'
    | 'filter'
    | 'type'
    | 'column'
    | 'key'
    | 'index'
    | 'constraint'
    | 'foreign key'
    | 'sequence'
    | 'trigger';
  /** Logical name of the table; null for a sequence that was added by itself. */
  readonly table: string | null;
  /** Name of the column, index, … */
  readonly object: string;
  readonly what: string;
  /** What to do besides the statements, or instead; '' for nothing. */
  readonly hint: string;
  readonly ddl: readonly Ddl[];
}

/** A statement for this node. */
export const here = (phase: Ddl['phase'], sql: string): Ddl => ({ on: 'here', phase, sql });
/** One that only removes what the other side does not have. */
export const dropHere = (sql: string): Ddl => ({ on: 'here', phase: 'drop', sql, optional: true });
/** A statement for the provider. */
export const onProvider = (phase: Ddl['phase'], sql: string): Ddl => ({ on: 'provider', phase, sql });
