/** -r, -s, -k: a word to the process that holds the pidfile. */
import { detectKind, loadConfig } from '../config/load-config.ts';
import { UsageError } from '../errors/kaja-error.ts';
import { signalPidfile } from '../runtime/pidfile.ts';

const SIGNALS = { reload: 'SIGHUP', stop: 'SIGINT', kill: 'SIGTERM' } as const;

/** Which of the three was given, if any. */
export function requestedSignal(options: Readonly<Record<string, unknown>>): NodeJS.Signals | undefined {
  const found = (['reload', 'stop', 'kill'] as const).filter((name) => options[name] === true);
  if (found.length > 1) throw new UsageError('only one of -r, -s, -k can be given');
  return found[0] && SIGNALS[found[0]];
}

/**
 * Send it.
 * @param ini any ini, of a node or of a ticker; not needed when --set names the pidfile
 * @returns a line for stderr; a process that does not run is no failure
 */
export function sendRequestedSignal(
  ini: string | undefined,
  signal: NodeJS.Signals,
  overrides: ReadonlyMap<string, string>,
): string {
  const given = overrides.get('pidfile');
  if (ini === undefined && given) return signalPidfile(given, signal).text;
  if (ini === undefined)
    throw new UsageError('need config file', {
      hint: 'give the one whose pidfile counts, as in kaja -s CONFIG.ini',
    });
  const config = loadConfig({ path: ini, kind: detectKind(ini), overrides, partial: true });
  return signalPidfile(config.pidfile, signal).text;
}
