/** The schemas of kaja: there, of which version. */
import { type InstallStatus, readInstallStatus } from '../db/migrate/install-schemas.ts';
import type { SideCheck } from './check.ts';
import { error, info, ok, type Verdict, warning } from './finding.ts';
import type { SideRole } from './side.ts';

/** @param role why the database is looked at: a provider has to be installed already, a new node not */
export function judgeInstall(status: InstallStatus, role: SideRole, isNode: boolean): Verdict[] {
  const { state, open } = status;
  if (state.schemas.size === 0) {
    if (role === 'node' && !isNode)
      return [info('kaja is not installed here yet', 'create-root and create-leaf install it')];
    if (role === 'ticker')
      return [
        warning(
          'neither kaja nor pgq is installed here: nothing to tick',
          'kaja install, or take the database out of database_list',
        ),
      ];
    return [
      error(
        'kaja is not installed here',
        'create the node there first: kaja ROOT.ini create-root NAME CONNSTR',
      ),
    ];
  }
  const list: Verdict[] = [];
  for (const name of state.leftAlone) {
    const owner = state.extensions.has(name) ? `belongs to the extension ${name}` : 'was not made by kaja';
    list.push(info(`schema ${name} ${owner}; kaja leaves it alone`));
  }
  const versions = [...new Set(state.functions.map((one) => one.version))].join(', ');
  if (open.length > 0)
    list.push(
      warning(
        `schemas are ${versions ? `of kaja ${versions}` : 'not complete'}: ${open.length} steps behind this program (${open[0]?.text}${open.length > 1 ? ', …' : ''})`,
        'kaja install CONNSTR, as the role that installed it',
      ),
    );
  else list.push(ok(`schemas are of kaja ${versions}`));
  return list;
}

/** Schemas of kaja. */
export const checkInstall: SideCheck = {
  name: 'schemas',
  run: async (side) =>
    judgeInstall(await readInstallStatus(side.session), side.role, side.node !== undefined),
};
