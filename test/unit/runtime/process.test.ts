/** Signals and failpoints, seen from outside in a process of their own. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { armFailpoint } from '../../../src/runtime/failpoint.ts';
import { sleep } from '../../../src/runtime/sleep.ts';

const source = (name: string): string => new URL(`../../../src/runtime/${name}.ts`, import.meta.url).href;
const node = (code: string): string[] => ['--import', 'tsx', '--input-type=module', '-e', code];

describe('failpoint', () => {
  const code = `import { failpoint } from '${source('failpoint')}';
    failpoint('batch-applied'); process.stdout.write('1'); failpoint('batch-committed'); failpoint('batch-applied'); process.stdout.write('2');`;
  const run = (setting: string): { out: string; signal: string | null } => {
    const { stdout, signal } = spawnSync(process.execPath, node(code), {
      env: { ...process.env, KAJA_FAILPOINT: setting },
      encoding: 'utf8',
    });
    return { out: stdout, signal };
  };

  it('kills at the n-th passage of the armed name only', () => {
    expect(run('')).toEqual({ out: '12', signal: null });
    expect(run('batch-applied')).toEqual({ out: '', signal: 'SIGKILL' });
    expect(run('batch-applied:2')).toEqual({ out: '1', signal: 'SIGKILL' });
    expect(run('batch-applied:3')).toEqual({ out: '12', signal: null });
  });

  it('refuses unknown names and counts', () => {
    expect(() => armFailpoint('batch-aplied')).toThrow('KAJA_FAILPOINT=batch-aplied is not understood');
    expect(() => armFailpoint('batch-applied:0')).toThrow('not understood');
    armFailpoint(undefined);
  });
});

describe('installStopSignals', () => {
  it('stops at the first signal, kills at the second, reloads at SIGHUP', async () => {
    const code = `import { installStopSignals } from '${source('stop-signals')}';
      const signals = installStopSignals();
      const say = (text) => process.stdout.write(text + '\\n');
      signals.onReload(() => say('reload'));
      signals.stop.addEventListener('abort', () => say('stop ' + signals.received));
      signals.kill.addEventListener('abort', () => { say('kill'); signals.dispose(); clearInterval(alive); });
      const alive = setInterval(() => {}, 1000);
      say('up');`;
    const child = spawn(process.execPath, node(code), { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    let out = '';
    for await (const chunk of child.stdout) {
      out += String(chunk);
      const last = out.trim().split('\n').at(-1);
      if (last === 'up') child.kill('SIGHUP');
      if (last === 'reload') child.kill('SIGTERM');
      if (last === 'stop SIGTERM') child.kill('SIGINT');
    }
    await ended;
    expect(out).toBe('up\nreload\nstop SIGTERM\nkill\n');
  });
});

describe('sleep', () => {
  it('ends early without error and leaves no listener or timer', async () => {
    const stop = new AbortController();
    const started = performance.now();
    setImmediate(() => stop.abort());
    await sleep(3_600_000, stop.signal);
    await sleep(3_600_000, stop.signal);
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
