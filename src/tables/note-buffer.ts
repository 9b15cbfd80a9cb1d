/** Collects what a transaction has to say until it is committed: it may be rolled back, or run again. */
import type { RetLog } from '../db/ret-code.ts';

/** A log that can be emptied into another. */
export interface NoteBuffer extends RetLog {
  /** Forget everything, at the start of an attempt. */
  clear(): void;
  flush(log: RetLog): void;
}

/** Make an empty one. */
export function createNoteBuffer(): NoteBuffer {
  const notes: { level: keyof RetLog; message: string }[] = [];
  const keep = (level: keyof RetLog) => (message: string) => {
    notes.push({ level, message });
  };
  return {
    debug: keep('debug'),
    info: keep('info'),
    warn: keep('warn'),
    clear: () => {
      notes.length = 0;
    },
    flush: (log) => {
      for (const { level, message } of notes) log[level](message);
      notes.length = 0;
    },
  };
}
