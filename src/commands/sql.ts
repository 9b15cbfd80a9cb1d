/** `kaja sql`: the installation as a script for psql. */
import { renderInstallScript } from '../db/migrate/render-install-script.ts';
import { defineCommand } from './command.ts';

/** Prints the script. */
export const sql = defineCommand({
  name: 'sql',
  args: '',
  summary: 'print the installation as a script for psql -1 -f',
  details: 'Does and records the same as kaja install. May be run again at any time.',
  options: [],
  section: undefined,
  async run(ctx) {
    ctx.print(renderInstallScript().trimEnd());
  },
});
