/** Opens the contenders of a subject. */
import { kajaSite } from './kaja-site.ts';
import { londisteSite } from './londiste-site.ts';
import type { NodeSite } from './node-site.ts';
import { builtInSite, pgqSite, plainSite } from './other-sites.ts';
import { query } from './query.ts';
import {
  type ContenderName,
  catchUp,
  MARKER,
  type Servers,
  type Site,
  type SiteTables,
  withMarker,
} from './site.ts';

/** Contenders with nodes and a command line. */
export type NodeName = 'kaja' | 'londiste';

type Opener<S extends Site> = (
  servers: Servers,
  prefix: string,
  schema: string,
  leaves?: number,
) => Promise<S>;

const NODES: Record<NodeName, Opener<NodeSite>> = { kaja: kajaSite, londiste: londisteSite };

const OPENERS: Record<ContenderName, Opener<Site>> = {
  none: plainSite,
  'built-in': builtInSite,
  'pgq-c': pgqSite,
  ...NODES,
};

let opened = 0;

/* Of a run in a hurry. They end with the programs and servers of the run. */
const kept = new Map<string, Site>();

/* Both sides are filled by the same statements; how long a copy takes is a subject of its own. */
async function openSite<S extends Site>(
  open: Opener<S>,
  servers: Servers,
  setup: SiteTables,
  leaves: number,
): Promise<S> {
  const key = servers.hurry && setup.reusable ? JSON.stringify([open.name, setup, leaves]) : undefined;
  const known = key === undefined ? undefined : kept.get(key);
  // The key has the opener's name in it.
  if (known) return known as S;
  const site = await open(servers, `bench${++opened}`, withMarker(setup.schema), leaves);
  try {
    const { seed } = setup;
    if (seed) await Promise.all([site.provider, ...site.subscribers].map((url) => query(url, seed)));
    await site.publish([...setup.tables, MARKER]);
    await site.subscribe([...setup.tables, MARKER], true);
    await catchUp(site);
    if (key === undefined) return site;
    const lasting = { ...site, close: async () => {} };
    kept.set(key, lasting);
    return lasting;
  } catch (error) {
    await site.close();
    throw error;
  }
}

async function withOpened<S extends Site>(
  openers: readonly Opener<S>[],
  servers: Servers,
  setup: SiteTables,
  use: (sites: readonly S[]) => Promise<void>,
  leaves: number,
): Promise<void> {
  const opening = await Promise.allSettled(openers.map((open) => openSite(open, servers, setup, leaves)));
  const sites = opening.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  try {
    for (const one of opening) if (one.status === 'rejected') throw one.reason;
    await use(sites);
  } finally {
    await Promise.all(sites.map((site) => site.close()));
  }
}

/**
 * Open several contenders, let `use` work with them, close them whatever happens.
 * @param leaves number of subscribers of each
 */
export const withSites = (
  servers: Servers,
  names: readonly ContenderName[],
  setup: SiteTables,
  use: (sites: readonly Site[]) => Promise<void>,
  leaves = 1,
): Promise<void> =>
  withOpened(
    names.map((name) => OPENERS[name]),
    servers,
    setup,
    use,
    leaves,
  );

/** As `withSites`, for contenders with a command line. */
export const withNodeSites = (
  servers: Servers,
  names: readonly NodeName[],
  setup: SiteTables,
  use: (sites: readonly NodeSite[]) => Promise<void>,
): Promise<void> =>
  withOpened(
    names.map((name) => NODES[name]),
    servers,
    setup,
    use,
    1,
  );
