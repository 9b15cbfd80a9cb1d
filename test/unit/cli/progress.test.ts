import { describe, expect, it } from 'vitest';
import { formatTable, toJson } from '../../../src/cli/output.ts';
import { createProgress } from '../../../src/cli/progress.ts';
import { systemClock } from '../../../src/runtime/clock.ts';

describe('createProgress', () => {
  const movable = (): { clock: typeof systemClock; move: (ms: number) => void } => {
    let now = 0;
    return {
      clock: { ...systemClock, monotonicMs: () => now },
      move: (ms) => {
        now += ms;
      },
    };
  };

  it('repaints a bar on a terminal and takes it away again', () => {
    let out = '';
    const { clock, move } = movable();
    const progress = createProgress(
      { write: (text) => (out += text), isTTY: true, columns: 80 },
      true,
      clock,
    );
    progress.update('copy', 1, 4);
    progress.update('copy', 2, 4);
    move(200);
    progress.update('copy', 3, 4);
    expect(out.replaceAll('\r\u001b[2K', '|')).toBe(
      '|copy [######..................] 25% 1/4|copy [##################......] 75% 3/4',
    );
    out = '';
    progress.clear();
    progress.clear();
    expect(out).toBe('\r\u001b[2K');
  });

  it('prints a line now and then elsewhere, and always the end', () => {
    let out = '';
    const { clock, move } = movable();
    const progress = createProgress({ write: (text) => (out += text) }, true, clock);
    for (let n = 1; n <= 10; n++) {
      progress.update('copy', n, 10);
      move(3000);
    }
    expect(out).toBe('copy: 10% (1/10)\ncopy: 50% (5/10)\ncopy: 90% (9/10)\ncopy: 100% (10/10)\n');
  });

  it('is silent when switched off', () => {
    createProgress(
      {
        write: () => {
          throw new Error('wrote');
        },
      },
      false,
    ).update('x', 1);
  });
});

describe('output', () => {
  it('prints nothing for no rows, and counts wide characters twice', () => {
    expect(formatTable('t', ['a'], [])).toBe('');
    const lines = formatTable(
      '',
      ['a', 'b'],
      [
        ['表', 'x'],
        ['ab', 'y'],
      ],
    ).split('\n');
    expect(lines[2]).toBe('表               x');
    expect(lines[3]).toBe('ab               y');
  });
  it('writes bigints exactly', () => {
    expect(toJson([1n, 9007199254740993n, new Map([['a', new Set([1])]])])).toBe(
      '[1,"9007199254740993",{"a":[1]}]',
    );
  });
});
