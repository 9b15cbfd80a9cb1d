/** What create-root and create-leaf have in common. */
import { extendConnectionString } from '../config/connection-string.ts';
import { installSchemas } from '../db/migrate/install-schemas.ts';
import type { Session } from '../db/session.ts';
import { errorLine } from '../errors/error-line.ts';
import { KajaError } from '../errors/kaja-error.ts';
import type { Log } from '../log/logger.ts';
import { findExistingNode } from './node-info.ts';
import type { NodeSettings } from './node-settings.ts';
import { openThere } from './open-node.ts';
import { checkSameDatabase } from './same-database.ts';

/** A node to be. */
export interface CreateRequest {
  readonly settings: NodeSettings;
  readonly name: string;
  /** Connection string under which other nodes reach this database. */
  readonly publicLocation: string;
  /** Make sure that it leads here. */
  readonly check: boolean;
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
}

/** What became of a request. */
export type CreateOutcome = 'created' | 'exists';

/**
 * Is the database the wanted node already? Then say so.
 * @throws KajaError state-refused when it is another node of the queue: scripts that go on would work on the wrong one
 */
export async function saysExists(
  local: Session,
  request: CreateRequest,
  type: 'root' | 'leaf',
): Promise<boolean> {
  const info = await findExistingNode(local, request.settings.queue);
  if (!info) return false;
  if (info.type !== type || info.name !== request.name) {
    throw new KajaError(
      'state-refused',
      `Node is already initialized as ${info.type} ${info.name}, not as ${type} ${request.name}`,
      {
        hint: `one database holds one node of a queue; drop-node ${info.name} removes the one that is there`,
      },
    );
  }
  request.log.info(`Node is already initialized as ${info.type}`);
  return true;
}

/**
 * Look at the public location: it should name a host, and must lead to the local database.
 * @throws KajaError state-refused; connection errors
 */
export async function checkPublicLocation(local: Session, request: CreateRequest): Promise<void> {
  const { publicLocation, log, signal } = request;
  // Only lexed: what this host's environment or service file adds does not help the others.
  if (!/(?:^| )(?:host|hostaddr|service)=/.test(extendConnectionString(publicLocation, {}))) {
    log.warn('No host= in public connect string, bad idea');
  }
  if (!request.check) return;
  await using there = await openThere(publicLocation, request.settings, { signal, timeoutMs: 15_000 });
  await checkSameDatabase(local, there);
}

/** Install what is missing. */
export async function installHere(local: Session, log: Log): Promise<void> {
  const steps = await installSchemas(local, { onStep: (step) => log.info(`Installing ${step.text}`) });
  if (steps.length === 0) log.debug('schemas are up to date');
}

/** Steps done in several databases, and how each is taken back. */
export class UndoList {
  readonly #steps: { what: string; undo: () => Promise<unknown> }[] = [];

  /** @param what for the warning when taking it back fails: `location of n2 on root n1` */
  add(what: string, undo: () => Promise<unknown>): void {
    this.#steps.push({ what, undo });
  }

  /** Take everything back, the newest first. Never throws; what could not be taken back is logged. */
  async run(log: Log): Promise<void> {
    for (const { what, undo } of this.#steps.reverse()) {
      try {
        await undo();
      } catch (error) {
        log.warn(`could not take back ${what}: ${errorLine(error)}`);
      }
    }
  }
}
