/** Which GRANT helps when the server says that something is not permitted. */
import { quoteIdent } from './names.ts';

const OURS = /^(?:pgq|pgq_node|pgq_ext|pgq_coop|londiste|kaja)$/;

/**
 * Advice for a message such as `permission denied for database shop`.
 * @param message the server's, in English; others get no advice
 * @param role who was refused
 * @returns undefined when the message does not tell enough
 */
export function grantHint(message: string, role: string): string | undefined {
  const to = `to ${quoteIdent(role)}`;
  const owner = /^must be owner of (?:table|relation|sequence|schema|function) (.+)$/.exec(message)?.[1];
  if (owner) return `use the role that owns ${owner}, or have that role granted ${to}`;
  const [, kind, name] = /^permission denied for (\w+) "?(.+?)"?$/.exec(message) ?? [];
  if (!kind || !name) return undefined;
  switch (kind) {
    case 'database':
      return `have its owner run: grant create, temporary on database ${quoteIdent(name)} ${to}`;
    case 'schema':
      return OURS.test(name)
        ? `use the role that installed kaja, or have it run: grant pgq_admin ${to}`
        : `have its owner run: grant usage, create on schema ${quoteIdent(name)} ${to}`;
    case 'function':
      return `use the role that owns it, or have that role run: grant execute on function ${name} … ${to}; for queues: grant pgq_admin ${to}`;
    case 'parameter':
      return `have a superuser run: grant set on parameter ${name} ${to}`;
    case 'table':
    case 'sequence':
    case 'view':
      return `have its owner run: grant … on ${name} ${to}; kaja doctor names the rights that are missing`;
    default:
      return undefined;
  }
}
