import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../src/log/logger.ts';
import type { Service } from '../../../src/runtime/service.ts';
import { sleep } from '../../../src/runtime/sleep.ts';
import { supervise } from '../../../src/runtime/supervise.ts';

const log = silentLog();
const untilStopped = (name: string, ended: string[]): Service => ({
  name,
  run: async (signal) => {
    await sleep(3_600_000, signal);
    ended.push(name);
  },
});

describe('supervise', () => {
  it('stops all when told, and resolves when all have ended', async () => {
    const ended: string[] = [];
    const stop = new AbortController();
    setImmediate(() => stop.abort());
    await supervise([untilStopped('a', ended), untilStopped('b', ended)], { signal: stop.signal, log });
    expect(ended).toEqual(['a', 'b']);
  });

  it('stops the others at the first failure and throws it after they have ended', async () => {
    const ended: string[] = [];
    const failing: Service = { name: 'bad', run: () => Promise.reject(new Error('fatal')) };
    await expect(
      supervise([untilStopped('a', ended), failing], { signal: new AbortController().signal, log }),
    ).rejects.toThrow('fatal');
    expect(ended).toEqual(['a']);
  });

  it('lets the others run when one ends in peace', async () => {
    const ended: string[] = [];
    const stop = new AbortController();
    const short: Service = { name: 'short', run: async () => void ended.push('short') };
    const all = supervise([short, untilStopped('a', ended)], { signal: stop.signal, log });
    await new Promise((resolve) => setImmediate(resolve));
    expect(ended).toEqual(['short']);
    stop.abort();
    await all;
    expect(ended).toEqual(['short', 'a']);
  });

  it('takes an abort after the stop for a normal end', async () => {
    const stop = new AbortController();
    const service: Service = {
      name: 'x',
      run: async (signal) => {
        await sleep(3_600_000, signal);
        signal.throwIfAborted();
      },
    };
    setImmediate(() => stop.abort());
    await supervise([service], { signal: stop.signal, log });
  });
});
