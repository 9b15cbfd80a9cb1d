/** `kaja CONFIG.ini worker`: keeps a node alive. */
import { UsageError } from '../errors/kaja-error.ts';
import { jobSettings } from '../jobs/job-settings.ts';
import { JobScheduler, reloadJobs, withJobs } from '../jobs/scheduler.ts';
import type { Log } from '../log/logger.ts';
import { createReloadable } from '../runtime/reloadable.ts';
import type { Service } from '../runtime/service.ts';
import { checkNode } from '../worker/check-node.ts';
import { resetPosition, rewindProvider } from '../worker/reposition.ts';
import { createWorker } from '../worker/run-worker.ts';
import { type WorkerSettings, workerSettings } from '../worker/worker-settings.ts';
import { defineCommand, flag } from './command.ts';

export const worker = defineCommand({
  name: 'worker',
  args: '',
  summary: 'run the worker of a node: replay on a leaf, watermarks and sequences on the root',
  details:
    'Runs until it is stopped. With loop_delay = 0 it ends when there is nothing left to do, below 0 after one pass;\n' +
    'then a failure ends it too.',
  section: 'londiste',
  pidfileSuffix: '',
  daemon: true,
  options: [
    { flags: '--rewind', help: "set the provider's position back to this node's, then end" },
    {
      flags: '--reset',
      help: "set this node's position to the provider's (skips or repeats data), then end",
    },
  ],
  async run(ctx) {
    const settings = workerSettings(ctx.config);
    const rewind = flag(ctx.options, 'rewind');
    const reset = flag(ctx.options, 'reset');
    if (rewind && reset) throw new UsageError('only one of --rewind and --reset can be given');
    if (rewind) return rewindProvider(settings, ctx.log);
    if (reset) return resetPosition(settings, ctx.log);
    await checkNode(settings, ctx.signal);
    const service = createReloadable({
      name: settings.consumer,
      initial: settings,
      read: () => workerSettings(ctx.reloadConfig()),
      make: (now) => makeWorker(now, ctx.log),
      log: ctx.log,
    });
    const jobs = new JobScheduler(jobSettings(ctx.config, ctx.overrides), ctx.log);
    ctx.onReload(() => {
      service.reload();
      reloadJobs(jobs, () => jobSettings(ctx.reloadConfig(), ctx.overrides));
    });
    ctx.log.info('worker started');
    ctx.ready();
    // One that ends by itself has no time for schedules.
    await (settings.loopDelayMs > 0 ? withJobs(service, jobs) : service).run(ctx.signal);
    ctx.log.info('worker stopped');
  },
});

/** The worker of a node, ending as loop_delay says. */
function makeWorker(settings: WorkerSettings, log: Log): Service {
  const { loopDelayMs } = settings;
  return createWorker(settings, log, {
    until: loopDelayMs === 0 ? 'idle' : loopDelayMs < 0 ? 'once' : 'stopped',
  });
}
