import { describe, expect, it } from 'vitest';
import { KajaError } from '../../../src/errors/kaja-error.ts';
import { createReloadable, type Reloadable } from '../../../src/runtime/reloadable.ts';
import { sleep } from '../../../src/runtime/sleep.ts';
import { eventually } from '../../support/eventually.ts';
import { logLines } from '../../support/log-lines.ts';

interface Fixture {
  readonly service: Reloadable;
  /** What ran and ended, in order. */
  readonly course: string[];
  readonly lines: readonly string[];
  next: () => { n: number };
}

function fixture(run: (n: number, signal: AbortSignal) => Promise<void>): Fixture {
  const { log, lines } = logLines();
  const course: string[] = [];
  const self: Fixture = {
    course,
    lines,
    next: () => ({ n: 1 }),
    service: createReloadable({
      name: 'x',
      initial: { n: 1 },
      read: () => self.next(),
      make: ({ n }) => ({
        name: 'x',
        run: async (signal) => {
          course.push(`start ${n}`);
          await run(n, signal);
          course.push(`end ${n}`);
        },
      }),
      log,
    }),
  };
  return self;
}

const untilStopped = (_: number, signal: AbortSignal): Promise<void> => sleep(60_000, signal);

describe('createReloadable', () => {
  it('restarts with changed settings after the old service has ended; equal ones change nothing', async () => {
    const it = fixture(untilStopped);
    const stop = new AbortController();
    const running = it.service.run(stop.signal);
    it.service.reload();
    expect(it.lines).toEqual(['INFO Config reloaded, nothing changed']);
    it.next = () => ({ n: 2 });
    it.service.reload();
    await eventually(() => it.course.length === 3);
    expect(it.course).toEqual(['start 1', 'end 1', 'start 2']);
    stop.abort();
    await running;
    expect(it.course.at(-1)).toBe('end 2');
  });

  it('keeps its settings when the new ones are wrong', async () => {
    const it = fixture(untilStopped);
    const stop = new AbortController();
    const running = it.service.run(stop.signal);
    it.next = () => {
      throw new KajaError('config-invalid', 'x.ini:3: no');
    };
    it.service.reload();
    expect(it.lines).toEqual(['ERROR config not reloaded: x.ini:3: no']);
    stop.abort();
    await running;
    expect(it.course).toEqual(['start 1', 'end 1']);
  });

  it('ends when the service ends by itself, and passes its failure on', async () => {
    const ends = fixture(async () => {});
    await ends.service.run(new AbortController().signal);
    expect(ends.course).toEqual(['start 1', 'end 1']);
    const fails = fixture(async () => {
      throw new Error('broken');
    });
    await expect(fails.service.run(new AbortController().signal)).rejects.toThrow('broken');
  });
});
