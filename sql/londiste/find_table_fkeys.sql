-- Foreign keys from and to a table, with the statement that makes each again. Names in it are always qualified.
-- Keys that partitions inherit are left out: they go with their parent's.
create or replace function londiste.find_table_fkeys(i_table_name text) returns setof londiste.pending_fkeys
language sql strict stable set search_path = pg_catalog, pg_temp as $$
    select n1.nspname || '.' || c1.relname, n2.nspname || '.' || c2.relname, k.conname::text,
           -- a partitioned table takes no foreign key with ONLY
           format('alter table %s%I.%I add constraint %I %s', case c1.relkind when 'p' then '' else 'only ' end,
                  n1.nspname, c1.relname, k.conname, pg_get_constraintdef(k.oid))
      from pg_constraint k
      join pg_class c1 on c1.oid = k.conrelid
      join pg_namespace n1 on n1.oid = c1.relnamespace
      join pg_class c2 on c2.oid = k.confrelid
      join pg_namespace n2 on n2.oid = c2.relnamespace
     where k.contype = 'f' and k.conparentid = 0
       and londiste.find_table_oid(i_table_name) in (k.conrelid, k.confrelid)
     order by 1, 2, 3;
$$;
