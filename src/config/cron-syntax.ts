/** Is a text a cron expression? */
import { createRequire } from 'node:module';
import type nodeCron from 'node-cron';

/* Loaded at the first schedule: most ini files have none, and values are converted without waiting. */
const load = createRequire(import.meta.url);

/** @returns whether node-cron takes it: five fields, or six with seconds first */
export const isCronExpression = (text: string): boolean =>
  (load('node-cron') as typeof nodeCron).validate(text);
