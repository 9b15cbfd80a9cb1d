-- Create the replication triggers of a table on a queue; those an earlier call made are replaced.
--   i_table_name  logical name, written into events
--   i_trg_args    arguments as for londiste.local_add_table
--   i_dest_table  physical name, NULL: the same
--   i_node_type   root, branch: log changes; leaf: refuse them
-- Result: 200 with the name of the (first) row trigger; 201 no triggers wanted; 400 no key; 403, 405 in conflict with
-- triggers that suppress changes. Nothing is changed above 200. Locks the table (SHARE ROW EXCLUSIVE) until commit.
create or replace function londiste.create_trigger(
    in i_queue_name text, in i_table_name text, in i_trg_args text[], in i_dest_table text, in i_node_type text,
    out ret_code int4, out ret_note text, out trigger_name text)
language plpgsql as $$
declare
    v_table  text := londiste.make_fqname(i_table_name);
    v_dest   text := londiste.make_fqname(coalesce(i_dest_table, i_table_name));
    v_on     text := londiste.quote_fqname(v_dest);
    v_plan   record;
    v_old    record;
    v_events text;
begin
    select * into v_plan from londiste._trigger_plan(i_queue_name, v_table, i_trg_args, v_dest, i_node_type);
    ret_code := v_plan.ret_code;
    ret_note := v_plan.ret_note;
    if ret_code = 200 and v_plan.kind = 'capture' and v_plan.needs_key and v_plan.key_columns is null then
        ret_code := 400;
        ret_note := 'Primary key missing on table: ' || v_dest;
    end if;
    if ret_code <> 200 then
        return;
    end if;

    for v_old in
        select q.trigger_name as name
          from londiste._queue_triggers(londiste.find_table_oid(v_dest), i_queue_name) q
         where q.func_schema = 'kaja' and v_plan.kind <> 'capture'
            or q.func_schema <> 'kaja'
               and q.trigger_name in ('_londiste_' || i_queue_name, 'zzz__londiste_' || i_queue_name,
                                      '_londiste_' || i_queue_name || '_truncate')
    loop
        execute pg_catalog.format('drop trigger %I on %s', v_old.name, v_on);
    end loop;
    if v_plan.kind <> 'capture' then
        perform londiste._drop_capture(i_queue_name, v_table);
    end if;

    if v_plan.kind = 'capture' then
        execute 'select (kaja.create_capture($1, $2, $3, $4, $5, $6))[1]' into trigger_name
          using i_queue_name, v_table, v_dest, v_plan.key_columns, v_plan.style, v_plan.ops;
        return;
    elsif v_plan.kind = 'deny' then
        execute 'select (kaja.create_deny($1, $2, $3))[1]' into trigger_name using i_queue_name, v_table, v_dest;
        return;
    end if;

    if v_plan.rename_skip is not null then
        execute pg_catalog.format('alter trigger %I on %s rename to %I',
                                  v_plan.rename_skip, v_on, 'zzz_' || v_plan.rename_skip);
    end if;
    trigger_name := case when v_plan.func_args @> array['SKIP'] then 'zzz_' else '' end || '_londiste_' || i_queue_name;
    select pg_catalog.string_agg(e.word, ' or ' order by e.n) into v_events
      from (values (1, 'I', 'insert'), (2, 'U', 'update'), (3, 'D', 'delete')) as e (n, letter, word)
     where v_plan.ops is null or pg_catalog.strpos(v_plan.ops, e.letter) > 0;
    execute pg_catalog.format(
        'create trigger %I %s %s on %s for each row execute function pgq.%I(%s)',
        trigger_name, v_plan.timing, v_events, v_on, v_plan.func,
        (select pg_catalog.string_agg(pg_catalog.quote_literal(a.arg), ', ' order by a.n)
           from pg_catalog.unnest(i_queue_name || v_plan.func_args) with ordinality as a (arg, n)));
    execute pg_catalog.format(
        'create trigger %I after truncate on %s for each statement execute function %s',
        '_londiste_' || i_queue_name || '_truncate', v_on,
        case when i_node_type = 'leaf' then pg_catalog.format('pgq.sqltriga(%L, ''deny'')', i_queue_name)
             when v_dest <> v_table then pg_catalog.format('londiste.truncate_trigger(%L, %L)', i_queue_name, v_table)
             else pg_catalog.format('pgq.sqltriga(%L)', i_queue_name) end);
end;
$$;
