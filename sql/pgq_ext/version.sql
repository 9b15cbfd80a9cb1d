-- Version of the API: the extension's, or 3.1, the version that these functions follow.
create or replace function pgq_ext.version() returns text
language plpgsql as $$
begin
    return coalesce((select x.extversion from pg_catalog.pg_extension x where x.extname = 'pgq_ext'), '3.1');
end;
$$;

-- Number of changes made to bring the schema to this version: always 0, the schema is made at it.
create or replace function pgq_ext.upgrade_schema() returns integer
language plpgsql as $$
begin
    return 0;
end;
$$;
