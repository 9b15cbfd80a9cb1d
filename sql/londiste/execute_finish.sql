-- Tell that a script was run; a root passes it on as event EXECUTE, at every call.
-- Result: 200, 404 not started, or no such node.
create or replace function londiste.execute_finish(
    in i_queue_name text, in i_file_name text,
    out ret_code int4, out ret_note text)
language plpgsql strict as $$
declare
    v_type text;
    v_sql  text;
    v_attrs text;
begin
    select n.node_type into v_type from pgq_node.node_info n where n.queue_name = i_queue_name;
    if not found then
        ret_code := 404;
        ret_note := 'Unknown queue: ' || i_queue_name;
        return;
    end if;
    select e.execute_sql, e.execute_attrs into v_sql, v_attrs
      from londiste.applied_execute e where e.execute_file = i_file_name;
    if not found then
        ret_code := 404;
        ret_note := 'execute_file called without execute_start';
        return;
    end if;
    if v_type = 'root' then
        perform pgq.insert_event(i_queue_name, 'EXECUTE', v_sql, i_file_name, v_attrs, null, null);
    end if;
    ret_code := 200;
    ret_note := 'Execute finished: ' || i_file_name;
end;
$$;
