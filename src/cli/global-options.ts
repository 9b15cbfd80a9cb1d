/** Options of every command. */
import type { CommandOption } from '../commands/command.ts';

/** As in Londiste, and --json. `-h, --help` comes from the parser. */
export const GLOBAL_OPTIONS: readonly CommandOption[] = [
  { flags: '-q, --quiet', help: 'log only warnings and errors' },
  { flags: '-v, --verbose', help: 'log more; twice: everything' },
  { flags: '-d, --daemon', help: 'go to the background (needs pidfile and logfile)' },
  { flags: '--set <key=value>', help: 'override a key of the ini', repeat: true },
  { flags: '--json', help: 'print results as JSON' },
  { flags: '--ini', help: 'print a sample ini' },
  { flags: '-r, --reload', help: 'tell the running process to read its ini again (SIGHUP)' },
  { flags: '-s, --stop', help: 'tell it to finish what it does and end (SIGINT)' },
  { flags: '-k, --kill', help: 'tell it to end (SIGTERM)' },
  { flags: '-V, --version', help: 'print the version' },
];
