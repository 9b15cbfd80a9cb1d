/** One database as the doctor sees it. */
import type { NodeInfo } from '../cascade/node-info.ts';
import type { LondisteConfig } from '../config/load-config.ts';
import type { Column } from '../db/catalog/columns.ts';
import type { Key } from '../db/catalog/keys.ts';
import type { Relation } from '../db/catalog/relation.ts';
import type { Rights } from '../db/catalog/rights.ts';
import type { Session } from '../db/session.ts';
import type { KeyStyle } from '../tables/source-table.ts';
import type { DoctorLimits } from './limits.ts';

/** Why a database is looked at: it is the ini's own, its provider, the root above that, or a ticker serves it. */
export type SideRole = 'node' | 'provider' | 'root' | 'ticker';

/** A table that is replicated, or that shall be. */
export interface WatchedTable {
  /** Logical name. */
  readonly table: string;
  /** Unquoted physical name. */
  readonly name: string;
  /** Local in londiste.table_info; else only a candidate. */
  readonly registered: boolean;
  readonly mergeState: string | null;
  /** Undefined: it does not exist. */
  readonly relation: Relation | undefined;
  readonly columns: readonly Column[];
  readonly keys: readonly Key[];
  /** How its rows are told apart, as registered; undefined when unknown. */
  readonly style: KeyStyle | undefined;
  /** Physical key columns, in order; empty when unknown. */
  readonly keyColumns: readonly string[];
}

/** What the role may do about session_replication_role, and what the worker will therefore do. */
export interface ApplyChoice {
  readonly how: 'itself' | 'by function' | 'not';
  readonly wanted: LondisteConfig['applyRole'];
  readonly role: 'replica' | 'marker';
}

/** See the file. The session has no transaction open. */
export interface Side {
  readonly where: string;
  readonly role: SideRole;
  readonly session: Session;
  readonly location: string;
  /** Undefined for a ticker's databases. */
  readonly queue: string | undefined;
  readonly config: LondisteConfig | undefined;
  readonly rights: Rights;
  /** Those of pgq, pgq_node, londiste, kaja that exist. */
  readonly schemas: ReadonlySet<string>;
  readonly node: NodeInfo | undefined;
  /** Set on a database that receives changes. */
  readonly apply: ApplyChoice | undefined;
  readonly tables: readonly WatchedTable[];
}

/** A provider and its subscriber. */
export interface Pair {
  readonly provider: Side;
  readonly subscriber: Side;
}

/** What checks need besides. */
export interface CheckContext {
  readonly limits: DoctorLimits;
  /** Clock of this host, milliseconds. */
  readonly now: () => number;
  readonly signal: AbortSignal | undefined;
}

/** Do other nodes read from it? */
export const gives = (side: Side): boolean => side.role !== 'ticker' && side.apply === undefined;

/** Tables that exist. */
export const existing = (side: Side): (WatchedTable & { readonly relation: Relation })[] =>
  side.tables.filter(
    (one): one is WatchedTable & { readonly relation: Relation } => one.relation !== undefined,
  );
