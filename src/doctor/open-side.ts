/** Connects to a database and reads what all checks start from. */
import { findExistingNode, type NodeInfo } from '../cascade/node-info.ts';
import type { LondisteConfig } from '../config/load-config.ts';
import { readRights } from '../db/catalog/rights.ts';
import type { Session } from '../db/session.ts';
import { sqlstateOf } from '../db/sql-error.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { error, type Verdict } from './finding.ts';
import { openDoctorSession } from './open-session.ts';
import type { ApplyChoice, Side, SideRole } from './side.ts';
import { type Candidates, readWatchedTables } from './watched-tables.ts';

/** What to open. */
export interface SideRequest {
  readonly location: string;
  readonly role: SideRole;
  readonly queue?: string | undefined;
  readonly config?: LondisteConfig | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A database without its tables: those depend on what the other side has. */
export type OpenSide = Omit<Side, 'apply' | 'tables'>;

/** Connect and read role, schemas and node. @returns also what was noticed on the way */
export async function openSide(request: SideRequest): Promise<{ side: OpenSide; notes: Verdict[] }> {
  const { location, role, queue, config } = request;
  const session = await openDoctorSession(location, request.signal);
  try {
    return await session.transaction(
      async () => {
        const rights = await readRights(session);
        const schemas = await session.value<string[]>(
          `select array(select n.nspname::text from pg_namespace n where n.nspname in ('pgq', 'pgq_node', 'londiste', 'kaja'))`,
        );
        const { node, notes } = await readNode(session, queue, new Set(schemas));
        const where = session.location;
        const side = {
          where,
          role,
          session,
          location,
          queue,
          config,
          rights,
          schemas: new Set(schemas),
          node,
        };
        return { side, notes };
      },
      { readOnly: true },
    );
  } catch (failure) {
    await session.close();
    throw failure;
  }
}

async function readNode(
  session: Session,
  queue: string | undefined,
  schemas: ReadonlySet<string>,
): Promise<{ node: NodeInfo | undefined; notes: Verdict[] }> {
  if (queue === undefined || !schemas.has('pgq_node')) return { node: undefined, notes: [] };
  try {
    await session.query('savepoint node');
    return { node: await findExistingNode(session, queue), notes: [] };
  } catch (failure) {
    if (!(failure instanceof KajaError) || failure.code !== 'permission-denied') throw failure;
    await session.query('rollback to savepoint node');
    const what = `role ${session.facts.user} may not read the node of queue ${queue}`;
    return {
      node: undefined,
      notes: [
        error(what, `grant pgq_reader to ${session.facts.user}, or use the role that owns the schemas`),
      ],
    };
  }
}

/** Find out, the way the worker does, whether triggers and foreign keys can be kept quiet. Changes nothing. */
export async function probeApply(
  session: Session,
  wanted: LondisteConfig['applyRole'],
): Promise<ApplyChoice> {
  const how = await session.transaction(
    async (): Promise<ApplyChoice['how']> => {
      const tries = [
        ['itself', 'set local session_replication_role = replica'],
        ['by function', `select londiste.set_session_replication_role('replica', true)`],
      ] as const;
      for (const [name, statement] of tries) {
        await session.query('savepoint probe');
        try {
          await session.query(statement);
          return name;
        } catch (failure) {
          // 3F000 and 42883: not installed yet.
          if (!/^(?:42501|3F000|42883)$/.test(sqlstateOf(failure) ?? '')) throw failure;
        } finally {
          await session.query('rollback to savepoint probe');
        }
      }
      return 'not';
    },
    { readOnly: true },
  );
  return {
    how,
    wanted,
    role: wanted === 'marker' || (wanted === 'auto' && how === 'not') ? 'marker' : 'replica',
  };
}

/**
 * Add the tables.
 * @param apply set when the database receives changes
 */
export async function completeSide(
  side: OpenSide,
  apply: ApplyChoice | undefined,
  candidates: Candidates,
): Promise<{ side: Side; unmatched: readonly string[] }> {
  const { tables, unmatched } = await side.session.transaction(
    () => readWatchedTables(side.session, side.queue, candidates),
    { readOnly: true },
  );
  return { side: { ...side, apply, tables }, unmatched };
}
