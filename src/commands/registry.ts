/** All commands, in the order of `kaja --help`. Add a file src/commands/<verb>.ts and its descriptor here. */
import type { AnyCommand } from './command.ts';
import { install } from './install.ts';
import { sql } from './sql.ts';
import { uninstall } from './uninstall.ts';

/** The registry. */
export const commands: readonly AnyCommand[] = [install, sql, uninstall];
