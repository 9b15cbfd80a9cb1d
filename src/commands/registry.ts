/** All commands, in the order of `kaja --help`. Add a file src/commands/<verb>.ts and its line here. */
import type { AnyCommand, CommandSource } from './command.ts';

/* A file is loaded when its command is called: loading every room takes several times as long as what a short command does. */
const FILES: Readonly<Record<string, () => Promise<AnyCommand>>> = {
  install: async () => (await import('./install.ts')).install,
  uninstall: async () => (await import('./uninstall.ts')).uninstall,
  doctor: async () => (await import('./doctor.ts')).doctor,
  'create-root': async () => (await import('./create-root.ts')).createRoot,
  'create-branch': async () => (await import('./create-branch.ts')).createBranch,
  'create-leaf': async () => (await import('./create-leaf.ts')).createLeaf,
  members: async () => (await import('./members.ts')).members,
  status: async () => (await import('./status.ts')).status,
  'node-info': async () => (await import('./node-info.ts')).nodeInfo,
  'node-status': async () => (await import('./node-status.ts')).nodeStatus,
  pause: async () => (await import('./pause.ts')).pause,
  resume: async () => (await import('./resume.ts')).resume,
  'wait-root': async () => (await import('./wait-root.ts')).waitRoot,
  'wait-provider': async () => (await import('./wait-provider.ts')).waitProvider,
  'drop-node': async () => (await import('./drop-node.ts')).dropNode,
  'tag-dead': async () => (await import('./tag-dead.ts')).tagDead,
  'tag-alive': async () => (await import('./tag-alive.ts')).tagAlive,
  'add-table': async () => (await import('./add-table.ts')).addTable,
  'remove-table': async () => (await import('./remove-table.ts')).removeTable,
  tables: async () => (await import('./tables.ts')).tables,
  resync: async () => (await import('./resync.ts')).resync,
  'wait-sync': async () => (await import('./wait-sync.ts')).waitSync,
  missing: async () => (await import('./missing.ts')).missing,
  'add-seq': async () => (await import('./add-seq.ts')).addSeq,
  'remove-seq': async () => (await import('./remove-seq.ts')).removeSeq,
  seqs: async () => (await import('./seqs.ts')).seqs,
  'change-handler': async () => (await import('./change-handler.ts')).changeHandler,
  'show-handlers': async () => (await import('./show-handlers.ts')).showHandlers,
  check: async () => (await import('./check.ts')).check,
  compare: async () => (await import('./compare.ts')).compare,
  'compare-history': async () => (await import('./compare-history.ts')).compareHistory,
  jobs: async () => (await import('./jobs.ts')).jobs,
  'run-job': async () => (await import('./run-job.ts')).runJob,
  repair: async () => (await import('./repair.ts')).repair,
  queue: async () => (await import('./queue.ts')).queue,
  run: async () => (await import('./run.ts')).run,
  sql: async () => (await import('./sql.ts')).sql,
  ticker: async () => (await import('./ticker.ts')).ticker,
  worker: async () => (await import('./worker.ts')).worker,
};

const load = (names: readonly string[]): Promise<readonly AnyCommand[]> =>
  Promise.all(Object.entries(FILES).flatMap(([name, file]) => (names.includes(name) ? [file()] : [])));

/** The registry. */
export const commands: CommandSource = { all: () => load(Object.keys(FILES)), named: load };
