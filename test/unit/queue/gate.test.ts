import { describe, expect, it } from 'vitest';
import { createGate } from '../../../src/queue/gate.ts';

const passed = async (wait: Promise<void>): Promise<boolean> =>
  Promise.race([
    wait.then(() => true),
    new Promise<boolean>((resolve) => setImmediate(() => resolve(false))),
  ]);

describe('createGate', () => {
  it('holds back until it is opened, then lets everybody pass until it is closed', async () => {
    const gate = createGate();
    const { signal } = new AbortController();
    const first = gate.wait(signal);
    const second = gate.wait(signal);
    expect(await passed(first)).toBe(false);
    gate.set(true);
    expect(await passed(first)).toBe(true);
    expect(await passed(second)).toBe(true);
    expect(await passed(gate.wait(signal))).toBe(true);
    gate.set(false);
    expect(await passed(gate.wait(signal))).toBe(false);
  });

  it('lets go when the signal aborts', async () => {
    const gate = createGate();
    const stop = new AbortController();
    const wait = gate.wait(stop.signal);
    stop.abort();
    expect(await passed(wait)).toBe(true);
    expect(await passed(gate.wait(stop.signal))).toBe(true);
  });
});
