/** `kaja install DSN`: bring the schemas of a database to this program's version. */
import { installSchemas } from '../db/migrate/install-schemas.ts';
import { openSession } from '../db/session.ts';
import { defineCommand, flag } from './command.ts';

/** Installs or upgrades; prints each step. */
export const install = defineCommand({
  name: 'install',
  args: '<location>',
  summary: 'install or upgrade the schemas pgq, pgq_coop, pgq_ext, pgq_node, londiste and kaja in a database',
  details:
    'All or nothing, in one transaction; a second run changes nothing. Needs the right to create schemas, not superuser.\n' +
    'Schemas that belong to the original extensions are used as they are.',
  options: [{ flags: '-n, --dry-run', help: 'say what would be done, change nothing' }],
  section: undefined,
  async run(ctx) {
    const dryRun = flag(ctx.options, 'dryRun');
    await using session = await openSession(ctx.args[0] ?? '', {
      purpose: 'admin',
      applicationName: 'kaja install',
      signal: ctx.signal,
    });
    const steps = await installSchemas(session, {
      dryRun,
      onStep: (step) => {
        if (!ctx.json) ctx.print(step.text);
      },
    });
    if (ctx.json) ctx.printJson(steps);
    else if (steps.length === 0) ctx.print(`${session.location} is up to date`);
    else ctx.print(dryRun ? 'nothing was changed' : `${session.location} is ready`);
  },
});
