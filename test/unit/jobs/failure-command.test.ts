import { describe, expect, it } from 'vitest';
import { type FailureCommand, runFailureCommand } from '../../../src/jobs/failure-command.ts';
import { logLines } from '../../support/log-lines.ts';

async function run(command: string, own: Partial<FailureCommand> = {}): Promise<readonly string[]> {
  const { log, lines } = logLines('debug');
  const facts = { '': 'compare', RESULT: 'failed', REASON: 'cannot connect to postgres://a:secret@b/c' };
  await runFailureCommand({ command, facts, log, signal: new AbortController().signal, ...own });
  return lines;
}

describe('job_on_failure', () => {
  it('gets facts, never a password', async () => {
    process.env.PGPASSWORD = 'secret';
    try {
      expect(await run('echo "$KAJA_JOB/$KAJA_JOB_RESULT/$KAJA_JOB_REASON/$PGPASSWORD"')).toEqual([
        'DEBUG job_on_failure is done: compare/failed/cannot connect to postgres://a:***@b/c/',
      ]);
    } finally {
      delete process.env.PGPASSWORD;
    }
  });

  it('is a line in the log when it fails itself', async () => {
    expect(await run('echo no such host >&2; exit 3')).toEqual([
      'WARNING job_on_failure ended with exit code 3: no such host',
    ]);
    expect(await run('kill -9 $$')).toEqual(['WARNING job_on_failure was ended by SIGKILL']);
    expect(await run(' ')).toEqual([]);
  });

  it('is ended with all that it started when it takes too long, and when the worker stops', async () => {
    expect(await run('echo begun; sleep 60 | sleep 60', { limitMs: 300 })).toEqual([
      'WARNING job_on_failure took longer than 0.3 s and was ended: begun',
    ]);
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 100);
    expect(await run('sleep 60 & wait', { signal: stop.signal })).toEqual([
      'WARNING job_on_failure was ended by SIGTERM',
    ]);
    // What it leaves in the background is its own affair.
    expect(await run('sleep 2 & echo $!')).toEqual([
      expect.stringMatching(/^DEBUG job_on_failure is done: \d+$/),
    ]);
  });
});
