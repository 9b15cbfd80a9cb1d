/** `kaja uninstall DSN`: take everything out of a database. */
import { uninstallSchemas } from '../db/migrate/uninstall-schemas.ts';
import { openSession } from '../db/session.ts';
import { defineCommand, flag } from './command.ts';

/** Drops triggers on captured tables, the schemas and unused roles; prints each step. */
export const uninstall = defineCommand({
  name: 'uninstall',
  args: '<location>',
  summary: "remove kaja's schemas, triggers and unused roles from a database",
  details: 'Refuses while queues or nodes exist, or while views and functions of others use them.',
  options: [{ flags: '--force', help: 'remove queues and nodes too' }],
  section: undefined,
  async run(ctx) {
    await using session = await openSession(ctx.args[0] ?? '', {
      purpose: 'admin',
      applicationName: 'kaja uninstall',
      signal: ctx.signal,
    });
    const steps = await uninstallSchemas(session, {
      force: flag(ctx.options, 'force'),
      onStep: (step) => {
        if (!ctx.json) ctx.print(step);
      },
    });
    if (ctx.json) ctx.printJson(steps);
    else if (steps.length === 0) ctx.print(`${session.location} holds nothing of kaja`);
    else ctx.print(`kaja is removed from ${session.location}`);
  },
});
