/** Statements on connections of their own, and waiting for a state. */
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from '../demo/connect.ts';

/** Run statements on a connection of its own; rows of the last one. */
export async function query(
  url: string,
  text: string,
  values?: unknown[],
): Promise<Record<string, unknown>[]> {
  const client = await connect(url);
  try {
    const results = await client.query(text, values);
    return (Array.isArray(results) ? results.at(-1)?.rows : results.rows) as Record<string, unknown>[];
  } finally {
    await client.end();
  }
}

/** Seconds that `work` takes. */
export async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return (performance.now() - startedMs) / 1000;
}

/**
 * Ask until the statement's first column is true.
 * @param everyMs pause between two questions
 * @throws Error after `timeoutMs`
 */
export async function waitFor(url: string, text: string, everyMs = 50, timeoutMs = 600_000): Promise<void> {
  const client = await connect(url);
  try {
    for (const deadlineMs = Date.now() + timeoutMs; ; await pause(everyMs)) {
      const { rows } = await client.query({ text, rowMode: 'array' });
      if (rows[0]?.[0] === true) return;
      if (Date.now() > deadlineMs) throw new Error(`not within ${timeoutMs / 1000} s: ${text}`);
    }
  } finally {
    await client.end();
  }
}
