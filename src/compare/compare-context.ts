/** Who compares with whom. */
import { callRet } from '../db/ret-code.ts';
import { openSession, type Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import type { Log } from '../log/logger.ts';
import type { ApplyRoleChoice } from '../replay/apply-session.ts';

/** What the configuration and the command line say. */
export interface CompareSettings {
  /** Connection string of this node. */
  readonly location: string;
  readonly queue: string;
  readonly consumer: string;
  /** Turn a node's public location into one to connect to. */
  readonly remote: (location: string) => string;
  /** Longest wait for the worker in milliseconds; 0: no limit. */
  readonly waitMs: number;
  /** Parallel ranges of a table, on each side. */
  readonly jobs: number;
  /** Values are equal only if their texts are; else if their type says so. */
  readonly exact: boolean;
  readonly applyRole: ApplyRoleChoice;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly onProgress: (label: string, done: number, total: number) => void;
}

/** The settings, and where the other side is. */
export interface CompareContext extends CompareSettings {
  readonly applicationName: string;
  readonly providerNode: string;
  readonly providerLocation: string;
  /** Where the worker reads from: the root itself, or a branch in between. */
  readonly workerProviderLocation: string;
}

interface NodeRow {
  node_type: string;
  node_name: string;
  provider_location: string | null;
  worker_paused: boolean;
}

/** Nobody cascades deeper; a circle of providers must end somewhere. */
const MAX_DEPTH = 50;

/**
 * Find the node to compare with: the root, since only there ticks are made. A tick has the same number on all nodes of a set.
 * @throws KajaError state-refused (exit code 2) on the root itself or while the worker is paused; not-a-node
 */
export async function findProvider(settings: CompareSettings, verb: string): Promise<CompareContext> {
  const applicationName = `kaja ${settings.consumer} ${verb}`;
  const ask = async (location: string): Promise<NodeRow> => {
    const session = await openSession(location, {
      purpose: 'admin',
      applicationName,
      signal: settings.signal,
    });
    return readNode(session, settings.queue).finally(() => session.close());
  };
  const own = await ask(settings.location);
  if (own.node_type === 'root') {
    throw new KajaError(
      'state-refused',
      `${own.node_name} is the root: there is nothing to compare it with`,
      {
        exitCode: 2,
        hint: `run ${verb} with the ini of a subscriber`,
      },
    );
  }
  if (own.worker_paused) {
    throw new KajaError('state-refused', `worker of node ${own.node_name} is paused`, {
      exitCode: 2,
      hint: 'resume it first',
    });
  }
  const workerProviderLocation = settings.remote(own.provider_location ?? '');
  let providerLocation = workerProviderLocation;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    const node = await ask(providerLocation);
    if (node.node_type === 'root') {
      return {
        ...settings,
        applicationName,
        providerNode: node.node_name,
        providerLocation,
        workerProviderLocation,
      };
    }
    providerLocation = settings.remote(node.provider_location ?? '');
  }
  throw new KajaError('state-refused', 'the providers of this node form a circle');
}

async function readNode(session: Session, queue: string): Promise<NodeRow> {
  const [row] = await callRet<NodeRow>(session, 'pgq_node.get_node_info', [queue]);
  if (!row?.node_type) {
    throw new KajaError('not-a-node', `${session.location} is no node of queue ${queue}`, {
      hint: 'create the node first: create-root or create-leaf',
    });
  }
  return row;
}
