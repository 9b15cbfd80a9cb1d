/** A log whose lines a test can read. */
import { createLog, type Log } from '../../src/log/logger.ts';

/** The log and its lines so far, without time and process. */
export interface LogLines {
  readonly log: Log;
  readonly lines: readonly string[];
}

/** Make one. @param level lowest level that is kept */
export function logLines(level: 'debug' | 'info' = 'info'): LogLines {
  const lines: string[] = [];
  const { log } = createLog({
    level,
    consoleSink: { write: (text) => void lines.push(text.trimEnd()), colours: false },
    consoleLine: { line: '%(levelname)s %(message)s' },
  });
  return { log, lines };
}
