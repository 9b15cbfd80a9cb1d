/** A service that starts afresh when its settings have changed: what SIGHUP does. */
import { isDeepStrictEqual } from 'node:util';
import { errorLine } from '../errors/error-line.ts';
import { isAbort } from '../errors/retry-policy.ts';
import type { Log } from '../log/logger.ts';
import type { Service } from './service.ts';

/** A service that can read its settings again. */
export interface Reloadable extends Service {
  /** Read the settings; changed ones restart the service, wrong ones are logged and the present ones stay. */
  reload(): void;
}

/** How to make one. */
export interface ReloadableOptions<S> {
  readonly name: string;
  /** Settings to start with; plain data. */
  readonly initial: S;
  /** Read them again; throws when they are wrong. */
  readonly read: () => S;
  readonly make: (settings: S) => Service;
  readonly log: Log;
}

/** Make a reloadable service. The old one has ended before the new one starts. */
export function createReloadable<S>(options: ReloadableOptions<S>): Reloadable {
  const { name, read, make, log } = options;
  let settings = options.initial;
  let restart: AbortController | undefined;
  return {
    name,
    reload() {
      try {
        const next = read();
        const changed = !isDeepStrictEqual(next, settings);
        log.info(changed ? 'Config reloaded' : 'Config reloaded, nothing changed');
        if (!changed) return;
        settings = next;
        restart?.abort();
      } catch (error) {
        log.error(`config not reloaded: ${errorLine(error)}`);
      }
    },
    async run(signal) {
      for (;;) {
        const own = new AbortController();
        restart = own;
        try {
          await make(settings).run(AbortSignal.any([signal, own.signal]));
        } catch (error) {
          if (!own.signal.aborted || !isAbort(error)) throw error;
        }
        if (signal.aborted || !own.signal.aborted) return;
      }
    },
  };
}
