/** What an event's type says about it. */

/** Row change in the format of the generated capture. */
export interface RowEventType {
  readonly kind: 'row';
  readonly op: 'I' | 'U' | 'D';
  readonly shape: string;
}

/** The kinds of events on a cascaded queue. */
export type EventType =
  | RowEventType
  | { readonly kind: 'truncate' }
  | { readonly kind: 'execute' }
  /** Formats of Londiste's own triggers: logutriga, sqltriga, jsontriga. */
  | { readonly kind: 'upstream' }
  /** `pgq.*` and `londiste.*`: news about the set. Quiet ones leave the tables as they are, and their type, data and extra1 say all. */
  | { readonly kind: 'control'; readonly quiet: boolean }
  | { readonly kind: 'unknown' };

/* These come every few seconds or minutes in the middle of rows. */
const QUIET = new Set(['pgq.global-watermark', 'pgq.tick-id', 'londiste.update-seq']);

/** Classify an event by its `ev_type`. */
export function parseEventType(type: string): EventType {
  const row = /^([IUD])\/(.*)$/s.exec(type);
  if (row?.[1] && row[2]) return { kind: 'row', op: row[1] as RowEventType['op'], shape: row[2] };
  if (type === 'R') return { kind: 'truncate' };
  if (type === 'EXECUTE') return { kind: 'execute' };
  if (/^[IUD](:|$)/.test(type) || type.startsWith('{"')) return { kind: 'upstream' };
  if (/^(pgq|londiste)\./.test(type)) return { kind: 'control', quiet: QUIET.has(type) };
  return { kind: 'unknown' };
}
