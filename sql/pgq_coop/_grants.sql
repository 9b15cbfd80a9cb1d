-- Permissions of schema pgq_coop: pgq_reader consumes, everybody sees the version.
do $$
declare
    v_func record;
begin
    grant usage on schema pgq_coop to public;
    revoke all on all functions in schema pgq_coop from public;
    grant execute on function pgq_coop.version() to public;
    if not exists (select 1 from pg_catalog.pg_roles r where r.rolname = 'pgq_reader') then
        return;
    end if;
    for v_func in
        select p.oid::pg_catalog.regprocedure as signature
          from pg_catalog.pg_proc p
         where p.pronamespace = 'pgq_coop'::pg_catalog.regnamespace and p.proname !~ '^_'
    loop
        execute format('grant execute on function %s to pgq_reader', v_func.signature);
    end loop;
end;
$$;
