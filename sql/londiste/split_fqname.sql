-- Schema and object of a name, split at the first dot; without a dot the schema is public.
create or replace function londiste.split_fqname(
    in i_fqname text, out schema_part text, out name_part text)
language sql strict immutable as $$
    select case when pg_catalog.strpos(i_fqname, '.') > 0
                then pg_catalog.substr(i_fqname, 1, pg_catalog.strpos(i_fqname, '.') - 1)
                else 'public' end,
           pg_catalog.substr(i_fqname, pg_catalog.strpos(i_fqname, '.') + 1);
$$;
