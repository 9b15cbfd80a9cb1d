/** Is a text a cron expression, or a time zone? */
import { createRequire } from 'node:module';
import type nodeCron from 'node-cron';

/* Loaded at the first schedule: most ini files have none, and values are converted without waiting. */
const load = createRequire(import.meta.url);

/** @returns whether node-cron takes it: five fields, or six with seconds first, or @daily and its like */
export const isCronExpression = (text: string): boolean =>
  (load('node-cron') as typeof nodeCron).validate(text);

/** @returns whether it is the name of a time zone, such as `Europe/Tallinn` */
export function isTimezone(text: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: text });
    return true;
  } catch {
    return false;
  }
}
