/** show-handlers: named so that scripts of Londiste get a clear answer. */
import { KajaError } from '../errors/kaja-error.ts';
import { defineCommand } from './command.ts';

/** The descriptor. */
export const showHandlers = defineCommand({
  name: 'show-handlers',
  args: '[handler...]',
  summary: 'not in this version',
  options: [],
  section: 'londiste',
  hidden: true,
  run() {
    throw new KajaError('state-refused', 'show-handlers is not in this version', {
      hint: '--where, --skip-columns and --dest-table of add-table replace many handlers',
    });
  },
});
