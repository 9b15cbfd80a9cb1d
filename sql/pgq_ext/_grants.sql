-- Permissions of schema pgq_ext: pgq_writer tracks, everybody sees the version. The tables are reached by functions only.
do $$
declare
    v_func record;
begin
    grant usage on schema pgq_ext to public;
    revoke all on all tables in schema pgq_ext from public;
    revoke all on all functions in schema pgq_ext from public;
    grant execute on function pgq_ext.version() to public;
    if not exists (select 1 from pg_catalog.pg_roles r where r.rolname = 'pgq_writer') then
        return;
    end if;
    for v_func in
        select p.oid::pg_catalog.regprocedure as signature
          from pg_catalog.pg_proc p
         where p.pronamespace = 'pgq_ext'::pg_catalog.regnamespace
    loop
        execute format('grant execute on function %s to pgq_writer', v_func.signature);
    end loop;
end;
$$;
