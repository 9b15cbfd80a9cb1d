/** All commands, in the order of `kaja --help`. Add a file src/commands/<verb>.ts and its descriptor here. */
import type { AnyCommand } from './command.ts';
import { install } from './install.ts';
import { run } from './run.ts';
import { sql } from './sql.ts';
import { ticker } from './ticker.ts';
import { uninstall } from './uninstall.ts';
import { worker } from './worker.ts';

/** The registry. */
export const commands: readonly AnyCommand[] = [install, run, sql, ticker, uninstall, worker];
