/** kaja as contender: the real program, as processes of its own, with default settings. */
import { MAIN } from '../demo/fresh-build.ts';
import { type Kit, type NodeSite, nodeSite } from './node-site.ts';
import type { Servers } from './site.ts';

const KIT: Kit = {
  name: 'kaja',
  identity: {},
  command: [process.execPath, MAIN],
  locationOf: (url) => url,
  nodeLines: () => [],
  startRoot: (programs, provider) => {
    programs.ini('ticker', ['[pgqd]', `db = ${provider}`]);
    return [programs.start(process.execPath, [MAIN, 'run', 'root.ini', 'ticker.ini'])];
  },
};

/** Create databases, nodes and processes; `prefix` names the databases. */
export const kajaSite = (
  servers: Servers,
  prefix: string,
  schema: string,
  leaves?: number,
): Promise<NodeSite> => nodeSite(KIT, servers, prefix, schema, leaves);
