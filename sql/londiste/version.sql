-- Version of the API: that of the extension when it is one, else the version this code implements.
create or replace function londiste.version() returns text
language sql as $$
    select coalesce((select e.extversion from pg_catalog.pg_extension e where e.extname = 'londiste'), '3.8');
$$;
