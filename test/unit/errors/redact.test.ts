import { describe, expect, it } from 'vitest';
import { errorLine } from '../../../src/errors/error-line.ts';
import { KajaError, UsageError } from '../../../src/errors/kaja-error.ts';
import { redactText, redactValue } from '../../../src/errors/redact.ts';

describe('redactText', () => {
  const secret = 'hunter2';
  const spellings = [
    `host=a password=${secret} dbname=b`,
    `host=a password = '${secret}' dbname=b`,
    `password='it\\'s ${secret}' host=a`,
    `password='${secret} without end`,
    `password=a\\ ${secret} host=a`,
    `PASSWORD=${secret}`,
    `sslpassword=${secret}`,
    `set x = 'host=a password=''${secret}'' dbname=b'`,
    `postgres://app:${secret}@db/shop`,
    `postgresql://app:${secret}@db1,db2/shop?sslmode=require`,
    `postgres://app:p@${secret}@db/shop`,
    `postgres://app:p/${secret}@db/shop`,
    `postgres://app:p#${secret}@db/shop`,
    `postgres://app:my ${secret}@db/shop`,
    `postgres://db/shop?user=app&password=${secret}`,
    `{"password":"${secret}"}`,
    `cannot connect to "postgres://app:${secret}@db/shop": refused`,
    `first postgres://a:${secret}@x/y then postgres://b:${secret}@x/z`,
  ];
  for (const text of spellings) {
    it(`hides the password of ${text}`, () => expect(redactText(text)).not.toContain(secret));
  }

  it('leaves text without secrets alone', () => {
    for (const text of [
      'FATAL: password authentication failed for user "app"',
      'postgres://app@db:5432/shop',
      'a@b.example',
    ]) {
      expect(redactText(text)).toBe(text);
    }
  });

  it('keeps host and database readable', () => {
    expect(redactText('postgres://app:x@db:5433/shop')).toBe('postgres://app:***@db:5433/shop');
    expect(redactText('host=a password=x dbname=b')).toBe('host=a password=*** dbname=b');
  });
});

describe('redactValue', () => {
  it('hides secret members and nested locations', () => {
    const value = {
      db: { password: 'hunter2', location: 'postgres://u:hunter2@h/d' },
      list: ['password=hunter2'],
    };
    expect(JSON.stringify(redactValue(value))).not.toContain('hunter2');
  });
});

describe('errorLine', () => {
  it('is one line: what is wrong; what to do', () => {
    const error = new KajaError('connect-failed', 'cannot connect to db\nat host=a password=x', {
      hint: 'start it.',
    });
    expect(errorLine(error)).toBe('cannot connect to db at host=a password=***; start it');
  });

  it('takes the advice of the registry', () => {
    expect(errorLine(new UsageError('no'))).toBe('no; see kaja --help');
  });

  it('adds detail, hint and SQLSTATE of a server error', () => {
    const error = Object.assign(new Error('duplicate key'), {
      severity: 'ERROR',
      code: '23505',
      detail: 'Key exists.',
      hint: 'Do not.',
    });
    expect(errorLine(error)).toBe('duplicate key (Key exists.) [23505]; Do not');
  });

  it('looks into the empty AggregateError that a refused connection gives', () => {
    const error = new AggregateError([
      Object.assign(new Error('connect ECONNREFUSED ::1:5432'), { code: 'ECONNREFUSED' }),
    ]);
    expect(errorLine(error)).toBe('connect ECONNREFUSED ::1:5432');
  });
});
