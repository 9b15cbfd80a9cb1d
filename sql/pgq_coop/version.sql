-- Version of the API: the extension's, or 3.1, the version that these functions follow.
create or replace function pgq_coop.version() returns text
language plpgsql as $$
begin
    return coalesce((select x.extversion from pg_catalog.pg_extension x where x.extname = 'pgq_coop'), '3.1');
end;
$$;
