/** Genuine Londiste 3 as contender: its Python programs, pgqd and PgQ's C triggers, with default settings. */
import { existsSync } from 'node:fs';
import { type Kit, type NodeSite, nodeSite } from './node-site.ts';
import { hasExtensions, unprivileged } from './servers.ts';
import type { Servers } from './site.ts';

const LONDISTE = '/usr/bin/londiste';
const PGQD = '/usr/bin/pgqd';

/** Whether Debian's packages of Londiste, pgqd and their extensions are installed. */
export const hasLondiste = (): boolean =>
  hasExtensions('pgq', 'pgq_node', 'londiste') && existsSync(LONDISTE) && existsSync(PGQD);

/* Its tools want the words of libpq, not a URI. */
const locationOf = (url: string, database = new URL(url).pathname.slice(1)): string => {
  const { hostname, port, username } = new URL(url);
  return `host=${hostname} port=${port} user=${username}${database ? ` dbname=${database}` : ''}`;
};

const KIT: Kit = {
  name: 'londiste',
  identity: unprivileged(),
  command: [LONDISTE, '-q'],
  locationOf: (url) => locationOf(url),
  // Copies run as daemons, which need both; parallel_copies only shortens the set-up.
  nodeLines: (dir) => [
    `logfile = ${dir}/%(job_name)s.log`,
    `pidfile = ${dir}/%(job_name)s.pid`,
    'parallel_copies = 4',
  ],
  startRoot: (programs, provider) => {
    programs.ini('pgqd', [
      '[pgqd]',
      `base_connstr = ${locationOf(provider, '')}`,
      'initial_database = postgres',
      `database_list = ${new URL(provider).pathname.slice(1)}`,
    ]);
    return [programs.start(LONDISTE, ['-q', 'root.ini', 'worker']), programs.start(PGQD, ['-q', 'pgqd.ini'])];
  },
};

/** Create databases, nodes and daemons; `prefix` names the databases. */
export const londisteSite = (
  servers: Servers,
  prefix: string,
  schema: string,
  leaves?: number,
): Promise<NodeSite> => nodeSite(KIT, servers, prefix, schema, leaves);
