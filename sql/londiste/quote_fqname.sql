-- Name with schema, both parts quoted where SQL needs it.
create or replace function londiste.quote_fqname(i_name text) returns text
language sql strict immutable as $$
    select pg_catalog.quote_ident(s.schema_part) || '.' || pg_catalog.quote_ident(s.name_part)
      from londiste.split_fqname(i_name) s;
$$;
