-- Trigger: log changes as parts of SQL statements, types I, U, D; TRUNCATE as `R`.
-- Arguments: queue name, then any of SKIP, ignore=, pkey=, backup, deny, when=, ev_type=, ev_data=, ev_extra1= to ev_extra4=.
-- Writes through pgq.insert_event with the rights of who changes the table. Silent where session_replication_role is local, and
-- where a worker applies changes without role replica (kaja.applying).
-- STABLE, so that expressions see the tables as the statement that fired the trigger does; what it calls may write all the same.
create or replace function pgq.sqltriga() returns trigger
language plpgsql stable as $$
declare
    v_event text[];
    v_names text[];
    v_json  json;
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

    if tg_op = 'TRUNCATE' or tg_level = 'STATEMENT' or tg_nargs = 0 then
        v_event := kaja.trigger_truncate('s', tg_relid, tg_table_schema, tg_table_name, tg_when, tg_op, tg_argv);
    elsif tg_op = 'DELETE' then
        -- OLD and NEW are only touched where they exist: the plan of an expression keeps the type it saw first.
        v_json := pg_catalog.row_to_json(old);
        v_names := array(select pg_catalog.json_object_keys(v_json));
        v_event := kaja.trigger_row('s', tg_relid, tg_table_schema, tg_table_name, tg_when, tg_op, tg_argv, v_names,
                                    old::text, v_json, null, null);
        if tg_nargs > 1 and v_event is not null then
            v_event := kaja.trigger_override(v_event, tg_argv[1:], v_names, old);
        end if;
    else
        v_json := pg_catalog.row_to_json(new);
        v_names := array(select pg_catalog.json_object_keys(v_json));
        if tg_op = 'INSERT' then
            v_event := kaja.trigger_row('s', tg_relid, tg_table_schema, tg_table_name, tg_when, tg_op, tg_argv, v_names,
                                        new::text, v_json, null, null);
        else
            v_event := kaja.trigger_row('s', tg_relid, tg_table_schema, tg_table_name, tg_when, tg_op, tg_argv, v_names,
                                        new::text, v_json, old::text, pg_catalog.row_to_json(old));
        end if;
        if tg_nargs > 1 and v_event is not null then
            v_event := kaja.trigger_override(v_event, tg_argv[1:], v_names, new);
        end if;
    end if;
    if v_event is not null then
        perform pgq.insert_event(tg_argv[0], v_event[1], v_event[2], v_event[3], v_event[4], v_event[5], v_event[6]);
    end if;

    if tg_when = 'AFTER' or tg_level = 'STATEMENT' or 'SKIP' = any (tg_argv[1:]) then
        return null;
    elsif tg_op = 'DELETE' then
        return old;
    end if;
    return new;
end;
$$;
