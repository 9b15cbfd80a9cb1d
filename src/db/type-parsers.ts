/** How result columns become JavaScript values. Set per connection; node-postgres' global table is never touched. */
import type pg from 'pg';
import { driver } from './driver.ts';

type Parse = (text: string) => unknown;

const asIs: Parse = (text) => text;
const toNumber: Parse = (text) => Number(text);
const toBigint: Parse = (text) => BigInt(text);
const toBoolean: Parse = (text) => text === 't';
const toBuffer: Parse = (text) => Buffer.from(text.slice(2), 'hex');

/** Types that are not left as the server's text. Dates, numerics, json and everything unknown stay text: nothing is rounded. */
const scalar: ReadonlyMap<number, Parse> = new Map<number, Parse>([
  [16, toBoolean],
  [17, toBuffer],
  [20, toBigint],
  [21, toNumber],
  [23, toNumber],
  [26, toNumber],
  [28, toNumber],
  [700, toNumber],
  [701, toNumber],
]);

/** Array type → parser of its elements. */
const array: ReadonlyMap<number, Parse> = new Map<number, Parse>([
  [1000, toBoolean],
  [1001, toBuffer],
  [1002, asIs],
  [1003, asIs],
  [1005, toNumber],
  [1007, toNumber],
  [1009, asIs],
  [1015, asIs],
  [1016, toBigint],
  [1021, toNumber],
  [1022, toNumber],
  [1028, toNumber],
  [2211, asIs],
]);

/** Elements of a one-dimensional array in the server's text form; NULL is null. */
function parseArray(text: string, element: Parse): unknown[] {
  const items: unknown[] = [];
  // A leading "[2:3]=" names unusual bounds, which nothing here needs.
  let at = text.indexOf('{') + 1;
  while (at < text.length && text[at] !== '}') {
    let quoted = false;
    let item = '';
    if (text[at] === '"') {
      quoted = true;
      for (at++; text[at] !== '"'; at++) {
        if (text[at] === '\\') at++;
        item += text[at];
      }
      at++;
    } else {
      for (; text[at] !== ',' && text[at] !== '}'; at++) item += text[at];
    }
    items.push(!quoted && item === 'NULL' ? null : element(item));
    if (text[at] === ',') at++;
  }
  return items;
}

/**
 * Parsers for `pg.ClientConfig.types`: int8 becomes bigint, bool/int2/int4/oid/xid/float become boolean or number, bytea a
 * Buffer, one-dimensional arrays of those and of text become arrays; all other types stay text.
 */
export const typeParsers: pg.CustomTypesConfig = {
  // pg declares one signature per known type; ours is the general one.
  getTypeParser: ((oid: number, format?: string) => {
    if (format === 'binary') return driver.types.getTypeParser(oid, 'binary');
    const element = array.get(oid);
    if (element) return (text: string) => parseArray(text, element);
    return scalar.get(oid) ?? asIs;
  }) as pg.CustomTypesConfig['getTypeParser'],
};
