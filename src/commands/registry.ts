/** All commands, in the order of `kaja --help`. Add a file src/commands/<verb>.ts and its descriptor here. */

import { addSeq } from './add-seq.ts';
import { addTable } from './add-table.ts';
import { changeHandler } from './change-handler.ts';
import type { AnyCommand } from './command.ts';
import { compare } from './compare.ts';
import { createBranch } from './create-branch.ts';
import { createLeaf } from './create-leaf.ts';
import { createRoot } from './create-root.ts';
import { doctor } from './doctor.ts';
import { dropNode } from './drop-node.ts';
import { install } from './install.ts';
import { members } from './members.ts';
import { missing } from './missing.ts';
import { nodeInfo } from './node-info.ts';
import { nodeStatus } from './node-status.ts';
import { pause } from './pause.ts';
import { queue } from './queue.ts';
import { removeSeq } from './remove-seq.ts';
import { removeTable } from './remove-table.ts';
import { repair } from './repair.ts';
import { resume } from './resume.ts';
import { resync } from './resync.ts';
import { run } from './run.ts';
import { seqs } from './seqs.ts';
import { showHandlers } from './show-handlers.ts';
import { sql } from './sql.ts';
import { status } from './status.ts';
import { tables } from './tables.ts';
import { tagAlive } from './tag-alive.ts';
import { tagDead } from './tag-dead.ts';
import { ticker } from './ticker.ts';
import { uninstall } from './uninstall.ts';
import { waitProvider } from './wait-provider.ts';
import { waitRoot } from './wait-root.ts';
import { waitSync } from './wait-sync.ts';
import { worker } from './worker.ts';

/** The registry. */
export const commands: readonly AnyCommand[] = [
  install,
  uninstall,
  doctor,
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
  addTable,
  removeTable,
  tables,
  resync,
  waitSync,
  missing,
  addSeq,
  removeSeq,
  seqs,
  changeHandler,
  showHandlers,
  compare,
  repair,
  queue,
  run,
  sql,
  ticker,
  worker,
];
