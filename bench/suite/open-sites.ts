/** Opens the contenders of a subject. */
import { kajaSite } from './kaja-site.ts';
import { builtInSite, pgqSite, plainSite } from './other-sites.ts';
import { query } from './query.ts';
import { type ContenderName, MARKER, type Servers, type Site, type SiteTables, withMarker } from './site.ts';

const OPENERS: Record<ContenderName, (servers: Servers, prefix: string, schema: string) => Promise<Site>> = {
  none: plainSite,
  'built-in': builtInSite,
  kaja: kajaSite,
  'pgq-c': pgqSite,
};

let opened = 0;

/** Open one contender with its tables filled and replicated. */
export async function openSite(servers: Servers, name: ContenderName, setup: SiteTables): Promise<Site> {
  const site = await OPENERS[name](servers, `bench${++opened}`, withMarker(setup.schema));
  try {
    if (setup.seed) await query(site.provider, setup.seed);
    await site.publish([...setup.tables, MARKER]);
    await site.subscribe([...setup.tables, MARKER]);
    return site;
  } catch (error) {
    await site.close();
    throw error;
  }
}

/** Open several, let `use` work with them, close them whatever happens. */
export async function withSites(
  servers: Servers,
  names: readonly ContenderName[],
  setup: SiteTables,
  use: (sites: readonly Site[]) => Promise<void>,
): Promise<void> {
  const sites: Site[] = [];
  try {
    for (const name of names) sites.push(await openSite(servers, name, setup));
    await use(sites);
  } finally {
    for (const site of sites) await site.close();
  }
}
