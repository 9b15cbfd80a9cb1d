/** Named places where tests kill the process. Inert unless the environment arms one: KAJA_FAILPOINT=name or name:n for the n-th passage. */
import { ConfigError } from '../errors/kaja-error.ts';
import { nearestWord } from '../errors/nearest.ts';

/** Every edge of durability, in the order a batch or a copy meets them. */
export const FAILPOINTS = [
  'batch-opened',
  'batch-staged',
  'batch-applied',
  'batch-committed',
  'batch-finished',
  'copy-claimed',
  'copy-tick-made',
  'copy-registered',
  'copy-rows-loaded',
  'copy-committed',
  'copy-caught-up',
  'copy-wanna-sync',
  'copy-ddl-restored',
  'sync-applied',
  'sync-committed',
  'tick-taken',
  'rotation-step1',
  'rotation-step2',
  'watermark-sent',
  'install-before-commit',
  'create-node-registered',
  'hold-reached',
  'range-compared',
  'table-compared',
  'repair-applied',
  'target-committed',
] as const;

/** Name of a failpoint. */
export type FailpointName = (typeof FAILPOINTS)[number];

let armed: { name: string; left: number } | undefined;
let read = false;

/**
 * Check KAJA_FAILPOINT at start-up: a misspelt name would make a test pass for the wrong reason.
 * @throws ConfigError for an unknown name or a wrong count
 */
export function armFailpoint(setting: string | undefined): void {
  read = true;
  armed = undefined;
  if (!setting) return;
  const [name = '', count = '1', ...rest] = setting.split(':');
  if (!FAILPOINTS.some((one) => one === name) || rest.length > 0 || !/^[1-9]\d*$/.test(count)) {
    const near = nearestWord(name, FAILPOINTS);
    throw new ConfigError(`KAJA_FAILPOINT=${setting} is not understood`, {
      hint: near && near !== name ? `did you mean ${near}?` : 'write name or name:n',
    });
  }
  armed = { name, left: Number(count) };
}

/** Die here, as if power went away, when this failpoint is armed and its count is used up. */
export function failpoint(name: FailpointName): void {
  if (!read) armFailpoint(process.env.KAJA_FAILPOINT);
  if (armed?.name !== name || --armed.left > 0) return;
  process.kill(process.pid, 'SIGKILL');
}
