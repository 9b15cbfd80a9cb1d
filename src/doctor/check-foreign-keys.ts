/** Foreign keys of a subscriber that lead out of what is replicated, or into it. */
import { type ForeignKey, readForeignKeys } from '../db/catalog/foreign-keys.ts';
import { quoteFqName, quoteIdent } from '../db/names.ts';
import type { SideCheck } from './check.ts';
import { ok, type Verdict, warning } from './finding.ts';
import { type ApplyChoice, existing } from './side.ts';

/**
 * @param replicated oids of the tables that changes are applied to
 * @param role with `replica` the server does not check foreign keys of replicated changes, with `marker` it does
 */
export function judgeForeignKeys(
  keys: readonly ForeignKey[],
  replicated: ReadonlySet<number>,
  role: ApplyChoice['role'],
): Verdict[] {
  const list: Verdict[] = [];
  for (const key of keys) {
    if (key.inherited) continue;
    const name = `foreign key ${quoteIdent(key.name)} from ${key.from} to ${key.to}`;
    const drop = `alter table ${quoteFqName(key.from)} drop constraint ${quoteIdent(key.name)}`;
    const from = replicated.has(key.fromOid);
    const to = replicated.has(key.toOid);
    if (from && to) {
      if (role === 'marker' && !key.deferrable)
        list.push(
          warning(
            `${name} is checked while changes are applied, in whatever order they come`,
            `alter table ${quoteFqName(key.from)} alter constraint ${quoteIdent(key.name)} deferrable, or permit session_replication_role`,
          ),
        );
    } else if (from) {
      list.push(
        warning(
          role === 'replica'
            ? `${name}, which is not replicated: rows may refer to nothing, unnoticed`
            : `${name}, which is not replicated: a row that refers to nothing stops replication`,
          `add-table ${key.to} too, or ${drop}`,
        ),
      );
    } else if (to) {
      list.push(
        warning(
          role === 'replica'
            ? `${name}, which is replicated: deletes leave rows behind that refer to nothing, and CASCADE does nothing`
            : `${name}, which is replicated: a delete that leaves rows behind stops replication`,
          `add-table ${key.from} too, or ${drop}`,
        ),
      );
    }
  }
  return list;
}

/** Foreign keys of a subscriber. */
export const checkForeignKeys: SideCheck = {
  name: 'foreign keys',
  applies: (side) => side.apply !== undefined,
  async run(side) {
    // Tables of other queues are replicated too.
    const others = side.schemas.has('londiste')
      ? await side.session.query<{ oid: number | null }>(
          `select c.oid from londiste.table_info i
             join pg_namespace n on n.nspname = split_part(coalesce(i.dest_table, i.table_name), '.', 1)
             join pg_class c on c.relnamespace = n.oid
              and c.relname = substr(coalesce(i.dest_table, i.table_name), strpos(coalesce(i.dest_table, i.table_name), '.') + 1)
            where i.local`,
        )
      : [];
    const oids = existing(side).map((one) => one.relation.oid);
    const replicated = new Set([...oids, ...others.flatMap((one) => one.oid ?? [])]);
    const verdicts = judgeForeignKeys(
      await readForeignKeys(side.session, oids),
      replicated,
      side.apply?.role ?? 'replica',
    );
    return verdicts.length > 0 || oids.length === 0
      ? verdicts
      : [ok('foreign keys stay among replicated tables')];
  },
};
