/** Runs services together: they start together, and the first fatal failure stops the rest. */
import { errorLine } from '../errors/error-line.ts';
import { isAbort } from '../errors/retry-policy.ts';
import type { Log } from '../log/logger.ts';
import type { Service } from './service.ts';

/**
 * Start all services and wait until every one has ended.
 * @param services run side by side; one that returns without failure leaves the others running
 * @param options.signal stop all
 * @throws the first failure, after all the others have ended
 */
export async function supervise(
  services: readonly Service[],
  options: { signal: AbortSignal; log: Log },
): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  let failure: { error: unknown } | undefined;
  await Promise.all(
    services.map(async (service) => {
      try {
        await service.run(signal);
        options.log.debug(`${service.name}: ended`);
      } catch (error) {
        if (signal.aborted && isAbort(error)) return;
        if (failure) options.log.error(`${service.name}: ${errorLine(error)}`);
        else {
          failure = { error };
          if (services.length > 1) options.log.error(`${service.name} ends everything: ${errorLine(error)}`);
        }
        failed.abort();
      }
    }),
  );
  if (failure) throw failure.error;
}
