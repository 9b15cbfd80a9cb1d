import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatConnectionString,
  parseConnectionString,
  redactLocation,
} from '../../src/config/connection-string.ts';

/* What PostgreSQL can hold: no NUL, no lone surrogates. */
const text = fc
  .string({ unit: 'grapheme', minLength: 1 })
  .filter((one) => !one.includes('\0') && !/\p{Surrogate}/u.test(one));
const nasty = fc.oneof(
  text,
  fc.string({
    unit: fc.constantFrom("'", '\\', ' ', '=', '%', '@', ':', '/', '&', '\n', '"', 'a'),
    minLength: 1,
  }),
);
const env = { HOME: '/nonexistent', USER: 'nobody' };

describe('connection strings', () => {
  it('survive the keyword form', () => {
    fc.assert(
      fc.property(nasty, nasty, nasty, (dbname, user, password) => {
        const written = formatConnectionString([
          ['host', 'h'],
          ['dbname', dbname],
          ['user', user],
          ['password', password],
        ]);
        expect(parseConnectionString(written, env)).toMatchObject({ database: dbname, user, password });
      }),
    );
  });

  it('survive the URI form', () => {
    fc.assert(
      fc.property(nasty, nasty, nasty, (dbname, user, password) => {
        const e = encodeURIComponent;
        expect(
          parseConnectionString(`postgres://${e(user)}:${e(password)}@h:1/${e(dbname)}`, env),
        ).toMatchObject({ database: dbname, user, password });
        expect(
          parseConnectionString(
            `postgres:///?dbname=${e(dbname)}&user=${e(user)}&password=${e(password)}`,
            env,
          ),
        ).toMatchObject({ database: dbname, user, password });
      }),
    );
  });

  it('lose their password when redacted', () => {
    const secret = fc.string({ unit: fc.constantFrom(...'hunter2XYZ'), minLength: 8, maxLength: 16 });
    const around = fc.string({ unit: fc.constantFrom("'", '"', '\\', ' ', '=', '@', '/', '&', ';', 'a') });
    fc.assert(
      fc.property(secret, around, around, (word, before, after) => {
        const password = `${before}${word}${after}`;
        const keyword = formatConnectionString([
          ['host', 'h'],
          ['password', password],
          ['dbname', 'd'],
        ]);
        expect(redactLocation(keyword)).not.toContain(word);
        expect(redactLocation(`cannot connect: ${keyword}`)).not.toContain(word);
        expect(redactLocation(`postgres://u:${encodeURIComponent(password)}@h/d`)).not.toContain(word);
        expect(redactLocation(`postgres://u:${password}@h/d`)).not.toContain(word);
      }),
    );
  });
});
