/** Who compares with whom. */
import { callRet } from '../db/ret-code.ts';
import { openSession, type Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import type { Log } from '../log/logger.ts';
import type { ApplyRoleChoice } from '../replay/apply-session.ts';
import { checkStandby, isLocation } from './find-standby.ts';
import type { PaceLimits } from './pace.ts';

/** `hand`: at a terminal; `cron`: by a program, such as system cron; `schedule`: by the node's worker. */
export type StartedBy = 'hand' | 'cron' | 'schedule';

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
  /** Wait also for a worker that does not run. */
  readonly waitForStart: boolean;
  /** Longest wait for a lock in milliseconds; 0: no limit. */
  readonly lockTimeoutMs: number;
  /** Lock the provider's tables instead of holding the worker. */
  readonly lock: boolean;
  /** Name of the node to compare with, or connection string of a hot standby of the root; null: the root. */
  readonly source: string | null;
  /** Parallel ranges of a table, on each side. */
  readonly jobs: number;
  /** Values are equal only if their texts are; else if their type says so. */
  readonly exact: boolean;
  readonly applyRole: ApplyRoleChoice;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly limits: PaceLimits;
  readonly onProgress: (label: string, done: number, total: number, unit?: string) => void;
  /** What started the run. */
  readonly startedBy: StartedBy;
  /** The caller holds the lock against other runs of this node (`run-lock.ts`) already. */
  readonly locked?: true | undefined;
}

/** The settings, and where the other side is. */
export interface CompareContext extends CompareSettings {
  readonly applicationName: string;
  /** Name of this node. */
  readonly nodeName: string;
  readonly providerNode: string;
  readonly providerLocation: string;
  /** Consumer name of its worker; null: it is the root. */
  readonly providerConsumer: string | null;
  /** `providerLocation` is a hot standby of the root. */
  readonly standby: boolean;
  /** Where ticks are made. */
  readonly rootLocation: string;
  /** Where the worker reads from: the root itself, or a branch in between. */
  readonly workerProviderLocation: string;
}

interface NodeRow {
  node_type: string;
  node_name: string;
  provider_location: string | null;
  worker_name: string | null;
  worker_paused: boolean;
}

/** Nobody cascades deeper; a circle of providers must end somewhere. */
const MAX_DEPTH = 50;

/**
 * Find the node to compare with: the root, or the one that was asked for. A tick has the same number on all nodes of a set.
 * @throws KajaError state-refused (exit code 2) on the root itself, while the worker is paused, for an unknown node; not-a-node
 */
export async function findProvider(settings: CompareSettings, verb: string): Promise<CompareContext> {
  const applicationName = `kaja ${settings.consumer} ${verb}`;
  const ask = async (location: string): Promise<NodeRow> => {
    const session = await openSession(location, {
      purpose: 'admin',
      applicationName,
      signal: settings.signal,
    });
    return readNode(session, settings.queue).finally(() => void session.close());
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
  if (own.worker_paused && !settings.lock) {
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
      const { source } = settings;
      const found = {
        ...settings,
        applicationName,
        nodeName: own.node_name,
        rootLocation: providerLocation,
        workerProviderLocation,
        standby: false,
      };
      if (source !== null && isLocation(source)) {
        if (settings.lock) throw notComparable('--lock is for the root', 'leave --source or --lock out');
        await checkStandby(source, { location: providerLocation, applicationName });
        return {
          ...found,
          standby: true,
          providerNode: `${node.node_name} (standby)`,
          providerLocation: source,
          providerConsumer: null,
        };
      }
      if (source === null || source === node.node_name)
        return { ...found, providerNode: node.node_name, providerLocation, providerConsumer: null };
      const location = await peerLocation(settings, applicationName, own.node_name, source);
      const peer = await ask(location);
      if (peer.node_name !== source || peer.worker_name === null)
        throw notComparable(`node at ${source}'s location is ${peer.node_name}`);
      return {
        ...found,
        providerNode: source,
        providerLocation: location,
        providerConsumer: peer.worker_name,
      };
    }
    providerLocation = settings.remote(node.provider_location ?? '');
  }
  throw new KajaError('state-refused', 'the providers of this node form a circle');
}

const notComparable = (text: string, hint?: string): KajaError =>
  new KajaError('state-refused', text, { exitCode: 2, ...(hint === undefined ? {} : { hint }) });

async function peerLocation(
  settings: CompareSettings,
  applicationName: string,
  ownName: string,
  name: string,
): Promise<string> {
  if (settings.lock) throw notComparable('--lock is for the root', 'leave --source or --lock out');
  if (name === ownName) throw notComparable(`${name} is this node`);
  await using here = await openSession(settings.location, { purpose: 'admin', applicationName });
  const location = await here.value<string>(
    'select node_location from pgq_node.node_location where queue_name = $1 and node_name = $2 and not dead',
    [settings.queue, name],
  );
  if (location === undefined)
    throw notComparable(
      `there is no node ${name} in this set`,
      '--source takes a name that members shows, or the connection string of a hot standby of the root',
    );
  return settings.remote(location);
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
