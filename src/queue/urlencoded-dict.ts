/** PgQ's urlencoded dictionaries: `key=value` joined by `&`, `+` for space, a key without `=` is null. */

/** Decoded dictionary; insertion order is kept. */
export type Dict = Map<string, string | null>;

const decode = (text: string): string => decodeURIComponent(text.replaceAll('+', ' '));
const encode = (text: string): string =>
  encodeURIComponent(text)
    .replaceAll('%20', '+')
    .replace(/[!'()*~]/g, (char) => `%${char.charCodeAt(0).toString(16)}`);

/** Decode, for example, `londiste.table_info.table_attrs`. Null and '' give an empty dictionary. */
export function parseDict(text: string | null | undefined): Dict {
  const dict: Dict = new Map();
  for (const pair of (text ?? '').split('&')) {
    if (pair === '') continue;
    const at = pair.indexOf('=');
    if (at < 0) dict.set(decode(pair), null);
    else dict.set(decode(pair.slice(0, at)), decode(pair.slice(at + 1)));
  }
  return dict;
}

/** Encode; an empty dictionary gives null, as the column stores it. */
export function formatDict(dict: Dict): string | null {
  if (dict.size === 0) return null;
  return [...dict]
    .map(([key, value]) => (value === null ? encode(key) : `${encode(key)}=${encode(value)}`))
    .join('&');
}
