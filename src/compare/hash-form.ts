/**
 * How a value enters the hash of its row. PostgreSQL's own extended hash functions are used where they read every bit of the value: they
 * give the same 64 bits on 14 to 18 (a probe asks both servers, see `HASH_PROBE`) and are several times faster than the row's text.
 * Those of numeric, jsonb, arrays and records are not used: they leave out signs, bounds or places. Those of 8-byte types fold their
 * argument to 32 bits, so the halves or the bytes are hashed instead.
 */
import { quoteIdent } from '../db/names.ts';
import type { SideColumn } from './side-columns.ts';

/** Ways a value enters the hash; a column has the same on both sides. */
export type HashForm = 'text' | keyof typeof FORMS;

interface Form {
  /** pg_catalog types that take this way when both sides have one of them. */
  readonly types: readonly string[];
  /** Is equal in this form what is equal to the type, though its text differs? */
  readonly loose?: true;
  /** What stands for NULL, which is told apart by the mask of NULLs. */
  readonly absent: string;
  /** Hash of a value that is not null, seeded. */
  readonly hash: (value: string, seed: string, salt: number) => string;
  /** The value's text; default: as the type's output function says it. */
  readonly text?: (value: string) => string;
}

const sent =
  (send: string): Form['hash'] =>
  (value, seed) =>
    `hash_array_extended(array[${send}(${value})], ${seed})`;

const textHash = (value: string, seed: string): string => `hashtextextended(${value} collate "C", ${seed})`;

const FORMS = {
  int: {
    types: ['int4', 'int2'],
    absent: '0',
    hash: (value, seed) => `hashint4extended(${value}, ${seed})`,
  },
  bigint: {
    types: ['int8', 'int4', 'int2'],
    absent: '0',
    hash: (value, seed) =>
      `hashint8extended(${value}, hashint4extended((${value}::int8 >> 32)::int4, ${seed}))`,
  },
  bool: {
    types: ['bool'],
    absent: 'false',
    hash: (value, seed) => `hashint4extended((${value})::int4, ${seed})`,
  },
  float4: floats('float4'),
  float8: floats('float8'),
  string: {
    types: ['text', 'varchar', 'name'],
    absent: `''`,
    hash: textHash,
    text: (value) => `${value}::text`,
  },
  char: {
    types: ['bpchar'],
    loose: true,
    absent: `''`,
    hash: (value, seed) => `hashbpcharextended(${value}::bpchar collate "C", ${seed})`,
    text: (value) => `${value}::text`,
  },
  bytea: {
    types: ['bytea'],
    absent: `''`,
    hash: (value, seed) => `hash_array_extended(array[${value}::bytea], ${seed})`,
  },
  uuid: {
    types: ['uuid'],
    absent: `'00000000-0000-0000-0000-000000000000'`,
    hash: (value, seed) => `uuid_hash_extended(${value}, ${seed})`,
  },
  date: { types: ['date'], absent: `'epoch'`, hash: sent('date_send') },
  time: { types: ['time'], absent: `'00:00'`, hash: sent('time_send') },
  timestamp: { types: ['timestamp'], absent: `'epoch'`, hash: sent('timestamp_send') },
  timestamptz: { types: ['timestamptz'], absent: `'epoch'`, hash: sent('timestamptz_send') },
  numeric: {
    types: ['numeric'],
    loose: true,
    absent: '0',
    hash: (value, seed) => textHash(`trim_scale(${value})::text`, seed),
    text: (value) => `trim_scale(${value})::text`,
  },
} satisfies Record<string, Form>;

/** -0 equals 0 and hashes to the seed itself; the salt keeps a zero from passing unseen from one column to the next. */
function floats(type: string): Form {
  return {
    types: [type],
    loose: true,
    absent: '0',
    hash: (value, seed, salt) => `hashfloat8extended((${value})::float8, ${seed} # ${salt}::int8)`,
    text: (value) => `(${value} + 0::${type})::text`,
  };
}

const formOf = (form: HashForm): Form | undefined => (form === 'text' ? undefined : FORMS[form]);

/**
 * The form two columns have in common.
 * @param exact values are equal only if their texts are
 */
export function commonForm(a: SideColumn, b: SideColumn, exact: boolean): HashForm {
  for (const [name, form] of Object.entries<Form>(FORMS)) {
    const both = [a, b].every(({ base }) => base !== null && form.types.includes(base));
    if (both) return form.loose && exact ? 'text' : (name as HashForm);
  }
  return 'text';
}

const named = (column: SideColumn): string => `t.${quoteIdent(column.name)}`;
/** As the built-in type: what stands for NULL need not satisfy a domain. */
const based = (column: SideColumn): string => `${named(column)}::${column.base}`;

/**
 * A column's value as its type's output function says it: so it travels.
 * @param value expression of the column's type; default: the column of the table
 */
export function columnText(column: SideColumn, value = named(column)): string {
  return column.outputFunction ? `pg_catalog.textin(${column.outputFunction}(${value}))` : `${value}::text`;
}

/** A column's value as a text that is the same for equal values. */
export const equalText = (column: SideColumn): string =>
  formOf(column.form)?.text?.(based(column)) ?? columnText(column);

/** Where the two servers' encodings differ, text is hashed in UTF-8. */
function utf8Hash(column: SideColumn, seed: string): string {
  return `hash_array_extended(array[convert_to(coalesce(${equalText(column)}, ''), 'UTF8')], ${seed})`;
}

const CARRIES_TEXT: readonly HashForm[] = ['text', 'string', 'char'];

function columnHash(column: SideColumn, seed: string, toUtf8: boolean, salt: number): string {
  if (toUtf8 && CARRIES_TEXT.includes(column.form)) return utf8Hash(column, seed);
  const form = formOf(column.form);
  if (!form) return textHash(`coalesce(${columnText(column)}, '')`, seed);
  const value = column.present ? based(column) : `coalesce(${based(column)}, ${form.absent})`;
  return form.hash(value, seed, salt);
}

/** Which columns are NULL, as a seed. */
function nullMask(columns: readonly SideColumn[], seed: string): string {
  const bits = columns.flatMap((column, bit) =>
    column.present ? [] : `case when ${named(column)} is null then ${2 ** bit} else 0 end`,
  );
  return bits.length === 0 ? seed : `hashint4extended(${bits.join(' + ')}, ${seed})`;
}

/** Columns of one chain: the bits of an int4, and far from what an expression may nest. */
const CHAIN = 24;

/**
 * 64-bit hash over columns of a row: every column's hash seeds the next, so that order and place count.
 * @param toUtf8 text is hashed in UTF-8, because the two servers' encodings differ
 */
export function chainHash(columns: readonly SideColumn[], toUtf8: boolean): string {
  const chains: string[] = [];
  for (let at = 0; at < columns.length; at += CHAIN) {
    const part = columns.slice(at, at + CHAIN);
    chains.push(
      part.reduce(
        (seed, column, n) => columnHash(column, seed, toUtf8, at + n + 1),
        nullMask(part, `${at + 1}::int8`),
      ),
    );
  }
  return chains.length === 1
    ? (chains[0] as string)
    : textHash(`array[${chains.join(', ')}]::text`, '1::int8');
}

/** What the hash functions say about known values; must be the same on both servers, else rows are hashed by md5 of their text. */
export const HASH_PROBE = `select array[hashint4extended(-5, 99), hashint8extended(-7000000000, 3), hashtextextended('kaja fox' collate "C", 7),
  hashbpcharextended('kaja  '::bpchar collate "C", 7), hashfloat8extended(1.5e300, 9), uuid_hash_extended('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 2),
  hash_array_extended(array['\\xdeadbeef00'::bytea], 5), hash_array_extended(array[date_send('2001-02-03')], 5), hash_array_extended(array[time_send('01:02')], 5),
  hash_array_extended(array[timestamp_send('2001-02-03 04:05:06.789')], 5), hash_array_extended(array[timestamptz_send('2001-02-03 04:05:06.789+00')], 5)]::text`;
