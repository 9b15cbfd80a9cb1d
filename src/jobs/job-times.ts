/** Times of jobs for people. */

/** The zone that a schedule follows. @param timezone of the ini; empty: the host's */
export const zoneOf = (timezone: string): string =>
  timezone || Intl.DateTimeFormat().resolvedOptions().timeZone;

/** `2026-11-27 03:00:00` as clocks show it there. */
export const localTime = (ms: number, timezone: string): string =>
  new Intl.DateTimeFormat('sv-SE', {
    ...(timezone ? { timeZone: timezone } : {}),
    dateStyle: 'short',
    timeStyle: 'medium',
  }).format(ms);
