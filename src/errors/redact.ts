/** Takes passwords out of text before anybody sees it. Rather hides too much than too little. */

const MASK = '***';

const SECRET_WORDS =
  'password|passwd|passphrase|pwd|secret|client_secret|scram_client_key|scram_server_key|token';
const SECRET_NAME = new RegExp(`(?:${SECRET_WORDS})$`, 'i');

/* Userinfo of a URI, from its first colon to the last @ on the line before the next URI: a password may hold anything. */
const URI_USERINFO = /((?:postgres(?:ql)?|https?):\/\/[^\s:@/?]*):(?:(?!postgres(?:ql)?:\/\/)[^\n])*@/gi;
/*
 * `password = value` in its spellings: quoted twice (inside an SQL literal), quoted (even without an end), bare, and whatever sticks to it.
 * Not what is masked already.
 */
const ANY = '(?:\\\\[^]|[^\\s\\\\])';
const VALUE = `(?:''[^']*''|'(?:\\\\[^]|[^'\\\\])*(?:'|$)|"(?:\\\\[^]|[^"\\\\])*(?:"|$)|${ANY})${ANY}*`;
const KEYWORD = new RegExp(
  `([\\w-]{0,40}(?:${SECRET_WORDS})"?\\s*=\\s*)(?!\\*{3}[;,)]?(?:\\s|$))${VALUE}`,
  'gi',
);
const JSON_MEMBER = new RegExp(`("[\\w-]{0,40}(?:${SECRET_WORDS})"\\s*:\\s*)"(?:\\\\[^]|[^"\\\\])*"`, 'gi');

/**
 * Replace every password in a text by `***`: connection URIs, `password=…` in any quoting, JSON members.
 * @param text anything that may be printed or logged
 */
export function redactText(text: string): string {
  if (!text.includes('@') && !SECRET_HINT.test(text)) return text;
  return text
    .replace(JSON_MEMBER, `$1"${MASK}"`)
    .replace(KEYWORD, `$1${MASK}`)
    .replace(URI_USERINFO, `$1:${MASK}@`);
}
const SECRET_HINT = new RegExp(SECRET_WORDS, 'i');

/** Is this the name of a field whose value must never be shown? */
export const isSecretName = (name: string): boolean => SECRET_NAME.test(name);

/**
 * Copy a value with every secret replaced, as deep as `depth` levels.
 * @param value log fields or error context
 */
export function redactValue(value: unknown, depth = 6): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value !== 'object' || value === null || depth === 0) return value;
  if (Array.isArray(value)) return value.map((one) => redactValue(one, depth - 1));
  const copy: Record<string, unknown> = {};
  for (const [name, one] of Object.entries(value)) {
    copy[name] = isSecretName(name) && one !== null && one !== '' ? MASK : redactValue(one, depth - 1);
  }
  return copy;
}
