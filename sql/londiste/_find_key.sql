-- Columns that identify a row, in key order: the primary key, else a unique index over NOT NULL columns that is
-- complete (no condition, no expressions) and checked at once; of several the replica identity, then the shortest.
--   i_primary_only  take nothing but the primary key
-- Result: NULL when there is none.
create or replace function londiste._find_key(i_table_oid oid, i_primary_only boolean) returns text[]
language sql strict stable set search_path = pg_catalog, pg_temp as $$
    select k.names
      from pg_index i
      join pg_class x on x.oid = i.indexrelid
     cross join lateral (
         select array_agg(a.attname::text order by u.n) as names, bool_and(a.attnotnull) as not_null
           from unnest(i.indkey) with ordinality as u (attnum, n)
           join pg_attribute a on a.attrelid = i.indrelid and a.attnum = u.attnum
          where u.n <= i.indnkeyatts) k
     where i.indrelid = i_table_oid and i.indisvalid and i.indisunique
       and (i.indisprimary
            or not i_primary_only and i.indimmediate and i.indpred is null and i.indexprs is null and k.not_null)
     order by i.indisprimary desc, i.indisreplident desc, i.indnkeyatts, x.relname
     limit 1;
$$;
