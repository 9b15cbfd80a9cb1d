-- Create pgq_reader, pgq_writer and pgq_admin where missing. Without the right to create roles: a NOTICE, nothing else.
create or replace function pgq._create_roles() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_role record;
begin
    for v_role in
        select r.name, r.membership
          from (values (1, 'pgq_reader', ''), (2, 'pgq_writer', ''),
                       (3, 'pgq_admin', ' in role pgq_reader, pgq_writer')) r(n, name, membership)
         where not exists (select 1 from pg_roles p where p.rolname = r.name)
         order by r.n
    loop
        begin
            execute format('create role %I', v_role.name) || v_role.membership;
        exception
            -- The second pair: another session was quicker.
            when insufficient_privilege or undefined_object then
                raise notice 'role % not created: %', v_role.name, sqlerrm;
            when duplicate_object or unique_violation then
                null;
        end;
    end loop;
end;
$$;
