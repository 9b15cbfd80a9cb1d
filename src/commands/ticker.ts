/** `kaja ticker`: ticks and maintenance for the databases of an ini, as pgqd. */
import { EXIT } from '../errors/codes.ts';
import { exitCodeOf } from '../errors/error-line.ts';
import { tickOnce } from '../queue/tick-once.ts';
import { createTicker } from '../queue/ticker-service.ts';
import { tickerSettings } from '../queue/ticker-settings.ts';
import { createReloadable } from '../runtime/reloadable.ts';
import { type CommandContext, defineCommand, flag } from './command.ts';

export const ticker = defineCommand({
  name: 'ticker',
  args: '',
  summary: 'make ticks and maintain queues of all databases of an ini',
  details:
    'Takes pgqd.ini as it is. Ticks come within ticker_max_period of an event. The statistics count ticks stored,\n' +
    'maintenance rounds, and events moved from the retry queue.',
  section: 'ticker',
  pidfileSuffix: '',
  daemon: true,
  options: [{ flags: '--once', help: 'one round of ticks, retried events and maintenance, then end' }],
  async run(ctx) {
    if (flag(ctx.options, 'once')) return runOnce(ctx);
    const service = createReloadable({
      name: 'ticker',
      initial: tickerSettings(ctx.config),
      read: () => tickerSettings(ctx.reloadConfig()),
      make: (settings) => createTicker(settings, ctx.log),
      log: ctx.log,
    });
    ctx.onReload(() => service.reload());
    ctx.log.info('ticker started');
    ctx.ready();
    await service.run(ctx.signal);
    ctx.log.info('ticker stopped');
    return EXIT.done;
  },
});

/** @returns exit code of the first failure */
async function runOnce(ctx: CommandContext<'ticker'>): Promise<number> {
  const { failures, ...done } = await tickOnce(tickerSettings(ctx.config), ctx.log, ctx.signal);
  if (ctx.json) ctx.printJson({ ...done, failures: failures.length });
  else ctx.log.info(`{ticks: ${done.ticks}, maint: ${done.maint}, retry: ${done.retry}}`);
  if (failures.length > 0) return exitCodeOf(failures[0]);
  return ctx.signal.aborted ? EXIT.unexpected : EXIT.done;
}
