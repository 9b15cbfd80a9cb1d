/** change-handler: named so that scripts of Londiste get a clear answer. */
import { KajaError } from '../errors/kaja-error.ts';
import { defineCommand } from './command.ts';

/** The descriptor. */
export const changeHandler = defineCommand({
  name: 'change-handler',
  args: '[table...]',
  summary: 'not in this version',
  options: [
    { flags: '--handler <handler>', help: 'not in this version' },
    { flags: '--handler-arg <argument>', help: 'not in this version', repeat: true },
  ],
  section: 'londiste',
  hidden: true,
  run() {
    throw new KajaError('state-refused', 'change-handler is not in this version', {
      hint: '--where, --skip-columns and --dest-table of add-table replace many handlers',
    });
  },
});
