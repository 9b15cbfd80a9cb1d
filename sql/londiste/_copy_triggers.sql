-- Create the triggers of a table on a partition of it, in the same state. Names are quoted and qualified.
-- Error: a definition in which the table is not found, an unknown state.
create or replace function londiste._copy_triggers(i_parent oid, i_parent_name text, i_part_name text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_trigger record;
    v_head    int4;
    v_on      int4;
begin
    for v_trigger in
        select quote_ident(t.tgname) as name, t.tgenabled::text as mode, pg_get_triggerdef(t.oid) as def
          from pg_trigger t
         where t.tgrelid = i_parent and not t.tgisinternal
         order by t.tgname
    loop
        -- ` ON <table> ` after the name; what comes before is no more than events and columns
        v_head := strpos(v_trigger.def, ' TRIGGER ' || v_trigger.name || ' ') + length(v_trigger.name) + 9;
        v_on := strpos(substr(v_trigger.def, v_head), ' ON ' || i_parent_name || ' ');
        if v_on = 0 then
            raise exception 'Failed to reconstruct the trigger: %', v_trigger.def;
        end if;
        execute overlay(v_trigger.def placing i_part_name from v_head + v_on + 3 for length(i_parent_name));
        if v_trigger.mode not in ('O', 'D', 'A', 'R') then
            raise exception 'Unknown trigger mode: %', v_trigger.mode;
        elsif v_trigger.mode <> 'O' then
            execute format('alter table %s %s trigger %s', i_part_name,
                           case v_trigger.mode when 'D' then 'disable' when 'A' then 'enable always' else 'enable replica' end,
                           v_trigger.name);
        end if;
    end loop;
end;
$$;
