import { describe, expect, it } from 'vitest';
import { createCalendar } from '../../../src/config/cron-calendar.ts';

/** The next times, in UTC, without seconds. */
function times(schedule: string, timezone: string, after: string, count: number): string[] {
  const calendar = createCalendar(schedule, timezone);
  const found: string[] = [];
  for (let at = Date.parse(after); found.length < count; ) {
    const next = calendar.next(at);
    if (next === undefined) return [...found, 'never'];
    expect(calendar.previous(next)).toBe(next);
    if (found.length > 0) expect(calendar.previous(next - 1)).toBe(at);
    found.push(new Date(next).toISOString().replace(':00.000Z', ''));
    at = next;
  }
  return found;
}

describe('createCalendar', () => {
  // In Tallinn 03:00 EET becomes 04:00 EEST on 29 March 2026, 04:00 EEST becomes 03:00 EET on 25 October.
  it('runs at the end of a missing hour', () => {
    expect(times('30 3 * * *', 'Europe/Tallinn', '2026-03-27T12:00:00Z', 3)).toEqual([
      '2026-03-28T01:30',
      '2026-03-29T01:00',
      '2026-03-30T00:30',
    ]);
    expect(times('*/30 3,4 * * *', 'Europe/Tallinn', '2026-03-28T12:00:00Z', 3)).toEqual([
      '2026-03-29T01:00',
      '2026-03-29T01:30',
      '2026-03-30T00:00',
    ]);
  });

  it('runs once in a repeated hour', () => {
    expect(times('30 3 * * *', 'Europe/Tallinn', '2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-25T00:30',
      '2026-10-26T01:30',
    ]);
    expect(times('0 3,4 * * *', 'Europe/Tallinn', '2026-10-24T12:00:00Z', 3)).toEqual([
      '2026-10-25T00:00',
      '2026-10-25T02:00',
      '2026-10-26T01:00',
    ]);
  });

  it('keeps the pace of a schedule of every hour', () => {
    expect(times('*/30 * * * *', 'Europe/Tallinn', '2026-03-29T00:29:00Z', 3)).toEqual([
      '2026-03-29T00:30',
      '2026-03-29T01:00',
      '2026-03-29T01:30',
    ]);
    expect(times('*/30 * * * *', 'Europe/Tallinn', '2026-10-25T00:29:00Z', 4)).toEqual([
      '2026-10-25T00:30',
      '2026-10-25T01:00',
      '2026-10-25T01:30',
      '2026-10-25T02:00',
    ]);
  });

  it('knows changes at midnight, of half an hour and of a whole day', () => {
    expect(times('0 0 * * *', 'America/Sao_Paulo', '2018-11-03T12:00:00Z', 2)).toEqual([
      '2018-11-04T03:00',
      '2018-11-05T02:00',
    ]);
    expect(times('15 2 * * *', 'Australia/Lord_Howe', '2026-10-03T12:00:00Z', 2)).toEqual([
      '2026-10-03T15:30',
      '2026-10-04T15:15',
    ]);
    expect(times('0 3 * * *', 'Pacific/Apia', '2011-12-29T12:00:00Z', 3)).toEqual([
      '2011-12-29T13:00',
      '2011-12-30T10:00',
      '2011-12-30T13:00',
    ]);
  });

  it('takes days as crontab does: day of month or day of week', () => {
    expect(times('0 3 13 * 5', 'UTC', '2026-01-01T00:00:00Z', 4)).toEqual([
      '2026-01-02T03:00',
      '2026-01-09T03:00',
      '2026-01-13T03:00',
      '2026-01-16T03:00',
    ]);
    expect(times('0 3 */2 * 5', 'UTC', '2026-01-01T12:00:00Z', 2)).toEqual([
      '2026-01-09T03:00',
      '2026-01-23T03:00',
    ]);
    expect(times('0 3 L * *', 'UTC', '2026-01-31T12:00:00Z', 1)).toEqual(['2026-02-28T03:00']);
    expect(times('0 3 29 2 *', 'UTC', '2026-03-01T00:00:00Z', 2)).toEqual([
      '2028-02-29T03:00',
      '2032-02-29T03:00',
    ]);
    expect(times('@weekly', 'Europe/Tallinn', '2026-11-26T00:00:00Z', 1)).toEqual(['2026-11-28T22:00']);
    expect(times('0 3 L-30 2 *', 'UTC', '2026-01-01T00:00:00Z', 1)).toEqual(['never']);
  });

  it('knows seconds', () => {
    const calendar = createCalendar('*/5 * * * * *', 'Europe/Tallinn');
    const at = Date.parse('2026-10-25T00:59:58Z');
    expect(calendar.next(at)).toBe(Date.parse('2026-10-25T01:00:00Z'));
    expect(calendar.previous(at)).toBe(Date.parse('2026-10-25T00:59:55Z'));
  });
});
