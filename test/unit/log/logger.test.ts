import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatDate } from '../../../src/log/format-line.ts';
import { createLog, type LogSettings, levelOf } from '../../../src/log/logger.ts';
import { openLogFile } from '../../../src/log/rotating-file.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'kaja-log-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function capture(settings: LogSettings = {}): { lines: string[]; handle: ReturnType<typeof createLog> } {
  const lines: string[] = [];
  const handle = createLog({
    ...settings,
    consoleSink: { write: (text) => void lines.push(text), colours: false },
  });
  return { lines, handle };
}

describe('createLog', () => {
  it("writes Londiste's lines", () => {
    const { lines, handle } = capture();
    handle.log.info('Table added: public.t');
    handle.log.warn({ table: 'public.t', tick: 7 }, 'slow');
    handle.log.child({ job: 'leaf' }).error(new Error('broken\nsecond line'));
    expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \d+ INFO Table added: public\.t\n$/);
    expect(lines[1]).toMatch(/ WARNING slow \[table=public\.t tick=7\]\n$/);
    expect(lines[2]).toMatch(/ ERROR \[leaf\] broken/);
  });

  it('follows -q and -v', () => {
    expect([-1, 0, 1, 2].map(levelOf)).toEqual(['warn', 'info', 'debug', 'trace']);
    const { lines, handle } = capture({ level: levelOf(-1) });
    handle.log.info('no');
    handle.log.warn('yes');
    expect(lines).toHaveLength(1);
  });

  it('writes JSON, one object per line', () => {
    const { lines, handle } = capture({ format: 'json', name: 'job' });
    handle.log.info({ tick: 7 }, 'done');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'info', name: 'job', tick: 7, msg: 'done' });
  });

  it('uses the line and date shapes of the ini', () => {
    const { lines, handle } = capture({
      name: 'j',
      consoleLine: { line: '%(name)s|%(levelname)-8s|%(message)s|%(asctime)s', date: '%Y' },
    });
    handle.log.info('x');
    expect(lines[0]).toMatch(/^j\|INFO\|x\|\d{4}\n$/);
    expect(formatDate(new Date(2026, 10, 21, 9, 5, 3, 7))).toBe('2026-11-21 09:05:03,007');
    expect(formatDate(new Date(2026, 10, 21, 9, 5, 3, 7), '%d.%m.%y %% %j')).toBe('21.11.26 % 325');
  });

  it('lets no password out, in text or JSON, in messages, fields or errors', () => {
    for (const format of ['text', 'json'] as const) {
      const { lines, handle } = capture({ format });
      handle.log.info('connecting to host=a password=hunter2');
      handle.log.info(
        { password: 'hunter2', deep: { pgPassword: 'hunter2', location: 'postgres://u:hunter2@h/d' } },
        'x',
      );
      handle.log.error(new Error('cannot reach postgres://u:hunter2@h/d'));
      expect(lines.join('')).not.toContain('hunter2');
      expect(lines).toHaveLength(3);
    }
  });
});

describe('openLogFile', () => {
  it('moves full files aside and keeps the given number', () => {
    const path = join(dir, 'sub', 'x.log');
    const file = openLogFile({ path, maxBytes: 20, keep: 2 });
    for (const word of ['aaaaaaaaaaaaaaa\n', 'bbbbbbbbbbbbbbb\n', 'ccccccccccccccc\n', 'ddddddddddddddd\n'])
      file.write(word);
    file.close();
    expect(readdirSync(join(dir, 'sub')).sort()).toEqual(['x.log', 'x.log.1', 'x.log.2']);
    expect(readFileSync(path, 'utf8')).toBe('ddddddddddddddd\n');
    expect(readFileSync(`${path}.2`, 'utf8')).toBe('bbbbbbbbbbbbbbb\n');
  });

  it('follows another process that moved the file first', () => {
    const path = join(dir, 'x.log');
    const [one, two] = [
      openLogFile({ path, maxBytes: 10, keep: 5 }),
      openLogFile({ path, maxBytes: 10, keep: 5 }),
    ];
    one.write('first\n');
    two.write('second\n');
    one.write('moves it\n');
    two.write('follows\n');
    expect(existsSync(`${path}.2`)).toBe(false);
    expect(readFileSync(path, 'utf8')).toBe('moves it\nfollows\n');
  });

  it('opens the file again after somebody moved it', () => {
    const path = join(dir, 'x.log');
    const handle = createLog({ console: false, file: { path, maxBytes: 0, keep: 0 } });
    handle.log.info('one');
    renameSync(path, `${path}.old`);
    handle.reopen();
    handle.log.info('two');
    handle.close();
    handle.log.info('after the end');
    expect(readFileSync(path, 'utf8')).toMatch(/ INFO two\n$/);
    expect(readFileSync(path, 'utf8')).not.toContain('one');
  });

  it('explains a file that cannot be opened', () => {
    expect(() => openLogFile({ path: dir, maxBytes: 0, keep: 0 })).toThrow(`logfile ${dir} cannot be opened`);
  });
});
