-- Empty a table whose copy is given up. Triggers of other queues that refuse changes step aside meanwhile.
-- Name: physical, unquoted. Locks the table (ACCESS EXCLUSIVE) until commit. Needs its owner.
create or replace function londiste._truncate_copied(i_dest_table text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_table   text := londiste.quote_fqname(i_dest_table);
    v_denying record;
    v_deny    record;
begin
    select array_agg(format('%I', t.tgname) order by t.tgname) as names,
           array_agg(case t.tgenabled when 'A' then 'always ' when 'R' then 'replica ' else '' end order by t.tgname) as modes
      into v_denying
      from pg_trigger t
     where t.tgrelid = londiste.find_table_oid(i_dest_table) and not t.tgisinternal and t.tgenabled <> 'D'
       and londiste.is_replica_func(t.tgfoid)
       and position('\x0064656e7900'::bytea in t.tgargs) > 0; -- an argument `deny`
    for v_deny in select d.name from unnest(v_denying.names) as d (name) loop
        execute format('alter table only %s disable trigger %s', v_table, v_deny.name);
    end loop;
    execute 'truncate only ' || v_table;
    for v_deny in select d.name, d.mode from unnest(v_denying.names, v_denying.modes) as d (name, mode) loop
        execute format('alter table only %s enable %strigger %s', v_table, v_deny.mode, v_deny.name);
    end loop;
end;
$$;
