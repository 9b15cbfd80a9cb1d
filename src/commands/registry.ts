/** All commands, in the order of `kaja --help`. Add a file src/commands/<verb>.ts and its descriptor here. */
import type { AnyCommand } from './command.ts';
import { createBranch } from './create-branch.ts';
import { createLeaf } from './create-leaf.ts';
import { createRoot } from './create-root.ts';
import { dropNode } from './drop-node.ts';
import { install } from './install.ts';
import { members } from './members.ts';
import { nodeInfo } from './node-info.ts';
import { nodeStatus } from './node-status.ts';
import { pause } from './pause.ts';
import { resume } from './resume.ts';
import { run } from './run.ts';
import { sql } from './sql.ts';
import { status } from './status.ts';
import { tagAlive } from './tag-alive.ts';
import { tagDead } from './tag-dead.ts';
import { ticker } from './ticker.ts';
import { uninstall } from './uninstall.ts';
import { waitProvider } from './wait-provider.ts';
import { waitRoot } from './wait-root.ts';
import { worker } from './worker.ts';

/** The registry. */
export const commands: readonly AnyCommand[] = [
  install,
  uninstall,
  createRoot,
  createBranch,
  createLeaf,
  members,
  status,
  nodeInfo,
  nodeStatus,
  pause,
  resume,
  waitRoot,
  waitProvider,
  dropNode,
  tagDead,
  tagAlive,
  run,
  sql,
  ticker,
  worker,
];
