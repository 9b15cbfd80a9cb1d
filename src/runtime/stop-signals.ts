/** Process signals as AbortSignals: the first SIGINT or SIGTERM asks to finish the batch in hand, the second to drop it, SIGHUP to read the ini again. */

/** Installed handlers. */
export interface StopSignals {
  /** Aborts at the first SIGINT or SIGTERM: finish what is in hand. */
  readonly stop: AbortSignal;
  /** Aborts at the second: cancel what is in hand. */
  readonly kill: AbortSignal;
  /** Which signal asked first. */
  readonly received: NodeJS.Signals | undefined;
  /** Register what SIGHUP does; several may. */
  onReload(hook: () => void): void;
  /** Stop as if this signal had come. */
  requestStop(signal: NodeJS.Signals): void;
  /** Take the handlers away again. */
  dispose(): void;
}

/**
 * Install the handlers.
 * @param options.onStop told about each stopping signal: its name and its number, from 1
 */
export function installStopSignals(
  options: { onStop?: (signal: NodeJS.Signals, count: number) => void } = {},
): StopSignals {
  const stop = new AbortController();
  const kill = new AbortController();
  const reloadHooks: (() => void)[] = [];
  let received: NodeJS.Signals | undefined;
  let count = 0;
  const onStop = (signal: NodeJS.Signals): void => {
    received ??= signal;
    count++;
    options.onStop?.(signal, count);
    if (count === 1) stop.abort();
    else kill.abort();
  };
  const onReload = (): void => {
    for (const hook of reloadHooks) hook();
  };
  process.on('SIGINT', onStop).on('SIGTERM', onStop).on('SIGHUP', onReload);
  return {
    stop: stop.signal,
    kill: kill.signal,
    get received() {
      return received;
    },
    onReload: (hook) => void reloadHooks.push(hook),
    requestStop: onStop,
    dispose: () => {
      process.off('SIGINT', onStop).off('SIGTERM', onStop).off('SIGHUP', onReload);
    },
  };
}
