-- Bring tables of an older londiste to this version and create the roles londiste_reader and londiste_writer where
-- the session may. Result: number of changes made.
create or replace function londiste.upgrade_schema() returns int4
language plpgsql as $$
declare
    v_changes int4 := 0;
    v_column  record;
    v_role    record;
begin
    for v_column in
        select c.tab, c.col
          from (values ('londiste.table_info', 'dest_table'), ('londiste.applied_execute', 'execute_attrs')) as c (tab, col)
         where not exists (select from pg_catalog.pg_attribute a
                            where a.attrelid = c.tab::pg_catalog.regclass and a.attname = c.col and not a.attisdropped)
    loop
        execute pg_catalog.format('alter table %s add column %I text', v_column.tab, v_column.col);
        v_changes := v_changes + 1;
    end loop;

    if not exists (select from pg_catalog.pg_constraint k
                    where k.conrelid = 'londiste.table_info'::pg_catalog.regclass and k.conname = 'table_info_check'
                      and pg_catalog.pg_get_constraintdef(k.oid) like '%catching-up%') then
        alter table londiste.table_info drop constraint if exists table_info_check;
        alter table londiste.table_info add constraint table_info_check
            check (dropped_ddl is null or merge_state in ('in-copy', 'catching-up'));
        v_changes := v_changes + 1;
    end if;

    for v_role in
        select r.name, r.parent
          from (values ('londiste_reader', 'pgq_reader'), ('londiste_writer', 'pgq_admin')) as r (name, parent)
    loop
        begin
            if not exists (select from pg_catalog.pg_roles r where r.rolname = v_role.name) then
                execute pg_catalog.format('create role %I', v_role.name);
                v_changes := v_changes + 1;
            end if;
        exception
            when duplicate_object or unique_violation then
                null; -- another database of the cluster made it at the same moment
            when insufficient_privilege then
                raise notice 'role % is missing and may not be created: %', v_role.name, sqlerrm;
        end;
        begin
            if (select pg_catalog.count(*) = 2 from pg_catalog.pg_roles r where r.rolname in (v_role.name, v_role.parent))
               and not exists (select from pg_catalog.pg_auth_members m
                                 join pg_catalog.pg_roles c on c.oid = m.member and c.rolname = v_role.name
                                 join pg_catalog.pg_roles p on p.oid = m.roleid and p.rolname = v_role.parent) then
                execute pg_catalog.format('grant %I to %I', v_role.parent, v_role.name);
            end if;
        exception
            when insufficient_privilege then
                raise notice 'role % could not be made a member of %: %', v_role.name, v_role.parent, sqlerrm;
            when unique_violation or internal_error then
                null; -- as above, granted at the same moment
        end;
    end loop;
    return v_changes;
end;
$$;
