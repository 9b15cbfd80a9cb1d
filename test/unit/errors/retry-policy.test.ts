import { describe, expect, it } from 'vitest';
import { KajaError } from '../../../src/errors/kaja-error.ts';
import { nearestWord } from '../../../src/errors/nearest.ts';
import { isAbort, retryPolicyOf } from '../../../src/errors/retry-policy.ts';

const coded = (code: string): Error => Object.assign(new Error(code), { code });

describe('retryPolicyOf', () => {
  it('waits for what passes by itself', () => {
    for (const code of [
      '08006',
      '08001',
      '57P01',
      '57P02',
      '57P03',
      '40001',
      '40P01',
      '55P03',
      '53300',
      'ECONNREFUSED',
      'ECONNRESET',
      'ETIMEDOUT',
    ]) {
      expect([code, retryPolicyOf(coded(code))]).toEqual([code, 'timed']);
    }
    expect(retryPolicyOf(new Error('Connection terminated unexpectedly'))).toBe('timed');
  });

  it('asks for a human otherwise', () => {
    for (const error of [coded('23505'), coded('57014'), coded('42P01'), new Error('x'), 'text', undefined]) {
      expect(retryPolicyOf(error)).toBe('manual');
    }
  });

  it('believes a KajaError, and looks into causes', () => {
    expect(retryPolicyOf(new KajaError('schema-too-new', 'x', { cause: coded('40001') }))).toBe('never');
    expect(retryPolicyOf(new Error('x', { cause: coded('40001') }))).toBe('timed');
    expect(retryPolicyOf(new AggregateError([coded('ECONNREFUSED'), coded('ECONNREFUSED')]))).toBe('timed');
    expect(retryPolicyOf(new AggregateError([coded('ECONNREFUSED'), coded('28P01')]))).toBe('manual');
  });

  it('knows an abort', () => {
    expect(isAbort(AbortSignal.abort().reason)).toBe(true);
    expect(isAbort(new KajaError('aborted', 'x'))).toBe(true);
    expect(isAbort(new Error('x'))).toBe(false);
  });
});

describe('nearestWord', () => {
  const known = ['queue_name', 'loop_delay', 'job_name', 'db'];
  it('finds typing errors', () => {
    expect(nearestWord('queue_nmae', known)).toBe('queue_name');
    expect(nearestWord('loopdelay', known)).toBe('loop_delay');
    expect(nearestWord('queue', known)).toBe('queue_name');
  });
  it('is silent about what is like nothing', () => expect(nearestWord('zzzzzzzz', known)).toBeUndefined());
});
