/** Memory and CPU of processes, from Linux. */
import { readdirSync, readFileSync } from 'node:fs';

/* Linux counts in hundredths of a second, whatever the kernel's own clock. */
const TICKS_PER_SECOND = 100;

/** Whether processes can be measured here. */
export const canMeasureProcesses = process.platform === 'linux';

/* Fields of /proc/<pid>/stat behind the name, which may hold anything. */
const statOf = (pid: number): readonly string[] =>
  readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');

/** Seconds of CPU that processes have used. */
export function cpuSeconds(pids: readonly number[]): number {
  const ticks = pids.map(statOf).map((fields) => Number(fields[11]) + Number(fields[12]));
  return ticks.reduce((sum, one) => sum + one, 0) / TICKS_PER_SECOND;
}

/** Seconds of CPU of a process and all its children, those that have ended included. */
export function treeCpuSeconds(pid: number): number {
  const fields = statOf(pid);
  const own = [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0) / TICKS_PER_SECOND;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .reduce((sum, name) => sum + cpuOfChild(Number(name), pid), own);
}

function cpuOfChild(pid: number, parent: number): number {
  try {
    return Number(statOf(pid)[1]) === parent ? cpuSeconds([pid]) : 0;
  } catch {
    return 0; // ended meanwhile, so the parent has its time
  }
}

/** Memory of processes in MB: VmRSS now, VmHWM at most. */
export function megabytes(pids: readonly number[], field: 'VmRSS' | 'VmHWM'): number {
  const one = (pid: number): number =>
    Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
  return pids.map(one).reduce((sum, each) => sum + each, 0);
}
