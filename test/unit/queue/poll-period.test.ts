import { describe, expect, it } from 'vitest';
import { pollPeriod, QUICK_FOR_MS } from '../../../src/queue/poll-period.ts';

describe('pollPeriod', () => {
  it('is short after a tick, whatever it was before', () => {
    expect(pollPeriod(0, 0, 20, 100)).toBe(20);
    expect(pollPeriod(100, QUICK_FOR_MS - 1, 20, 100)).toBe(20);
  });

  it('grows step by step to the longest when it is quiet, and stays there', () => {
    const waits: number[] = [];
    let wait = 20;
    for (let n = 0; n < 6; n++) {
      wait = pollPeriod(wait, QUICK_FOR_MS, 20, 100);
      waits.push(wait);
    }
    expect(waits).toEqual([30, 45, 67.5, 100, 100, 100]);
  });

  it('is constant when both periods are the same', () => {
    expect(pollPeriod(50, 0, 50, 50)).toBe(50);
    expect(pollPeriod(50, 1e9, 50, 50)).toBe(50);
  });
});
