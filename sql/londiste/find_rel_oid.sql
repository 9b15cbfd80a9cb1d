-- Id of the relation with this name and kind (pg_class.relkind), NULL when there is none.
create or replace function londiste.find_rel_oid(i_fqname text, i_kind text) returns oid
language sql strict stable as $$
    select c.oid
      from londiste.split_fqname(i_fqname) s
      join pg_catalog.pg_namespace n on n.nspname = s.schema_part
      join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = s.name_part
     where c.relkind::text = i_kind;
$$;
