-- Trigger: log changed rows as JSON objects; the type is JSON as well and names operation, table and key.
-- Arguments: queue name, then any of SKIP, ignore=, pkey=, backup, deny, when=, ev_type=, ev_data=, ev_extra1= to ev_extra4=.
-- Writes through pgq.insert_event with the rights of who changes the table. Silent where session_replication_role is local, and
-- where a worker applies changes without role replica (kaja.applying).
-- STABLE, so that expressions see the tables as the statement that fired the trigger does; what it calls may write all the same.
create or replace function pgq.jsontriga() returns trigger
language plpgsql stable as $$
declare
    v_event text[];
    v_id    bigint;
begin
    if pg_catalog.current_setting('session_replication_role') <> 'replica'
       and (pg_catalog.current_setting('session_replication_role') = 'local'
            or pg_catalog.current_setting('kaja.applying', true) <> '') then
        if tg_when = 'AFTER' or tg_level = 'STATEMENT' then
            return null;
        elsif tg_op = 'DELETE' then
            return old;
        end if;
        return new;
    end if;

    -- OLD and NEW are only touched where they exist: the plan of an expression keeps the type it saw first.
    if tg_op = 'TRUNCATE' or tg_level = 'STATEMENT' or tg_nargs = 0 then
        v_event := kaja.trigger_truncate('j', tg_relid, tg_table_schema, tg_table_name, tg_when, tg_op, tg_argv);
    elsif tg_op = 'INSERT' then
        v_event := coalesce(kaja.trigger_quick_j(tg_relid, tg_table_schema, tg_table_name, tg_op, new, null),
                            kaja.trigger_any_row('j', tg_relid, tg_table_schema, tg_table_name, tg_when, tg_op, tg_argv, new, null));
    elsif tg_op = 'UPDATE' then
        v_event := coalesce(kaja.trigger_quick_j(tg_relid, tg_table_schema, tg_table_name, tg_op, new, old),
                            kaja.trigger_any_row('j', tg_relid, tg_table_schema, tg_table_name, tg_when, tg_op, tg_argv, new, old));
    else
        v_event := coalesce(kaja.trigger_quick_j(tg_relid, tg_table_schema, tg_table_name, tg_op, old, null),
                            kaja.trigger_any_row('j', tg_relid, tg_table_schema, tg_table_name, tg_when, tg_op, tg_argv, old, null));
    end if;
    if tg_nargs > 1 and tg_level = 'ROW' and v_event is not null then
        if tg_op = 'DELETE' then
            v_event := kaja.trigger_override(v_event, tg_argv[1:], old);
        else
            v_event := kaja.trigger_override(v_event, tg_argv[1:], new);
        end if;
    end if;
    if v_event is not null then
        v_id := pgq.insert_event(tg_argv[0], v_event[1], v_event[2], v_event[3], v_event[4], v_event[5], v_event[6]);
    end if;

    if tg_when = 'AFTER' or tg_level = 'STATEMENT' or 'SKIP' = any (tg_argv[1:]) then
        return null;
    elsif tg_op = 'DELETE' then
        return old;
    end if;
    return new;
end;
$$;
