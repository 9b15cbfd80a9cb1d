-- Version of the API: that of the extension when it is one, else the version this code implements.
create or replace function pgq_node.version() returns text
language sql as $$
    select coalesce((select e.extversion from pg_catalog.pg_extension e where e.extname = 'pgq_node'), '3.5');
$$;
