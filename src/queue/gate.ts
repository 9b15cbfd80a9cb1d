/** Holds loops back while what they need is not there. */

/** Closed at first. */
export interface Gate {
  set(open: boolean): void;
  /** Resolves when the gate is open, or when the signal aborts; never throws. */
  wait(signal: AbortSignal): Promise<void>;
}

/** Create a gate. */
export function createGate(): Gate {
  let isOpen = false;
  const waiting = new Set<() => void>();
  return {
    set(open) {
      isOpen = open;
      if (open) for (const pass of [...waiting]) pass();
    },
    wait(signal) {
      if (isOpen || signal.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const pass = (): void => {
          waiting.delete(pass);
          signal.removeEventListener('abort', pass);
          resolve();
        };
        waiting.add(pass);
        signal.addEventListener('abort', pass, { once: true });
      });
    },
  };
}
