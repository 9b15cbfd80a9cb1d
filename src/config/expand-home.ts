/** `~/x` → the user's home. */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Replace a leading `~` of a file name by the home directory. */
export const expandHome = (path: string): string =>
  path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : path;
