-- Announce that a script is about to be run in this transaction.
--   i_file_name    identifies the script in this database, on whatever queue it comes
--   i_expect_root  refuse on other nodes
--   i_attrs        urlencoded conditions, passed on with the script
-- Result: 200 run it, 201 was run before, 401 not a root, 404 no such node. Waits for another session that starts the
-- same script.
create or replace function londiste.execute_start(
    in i_queue_name text, in i_file_name text, in i_sql text, in i_expect_root boolean, in i_attrs text,
    out ret_code int4, out ret_note text)
language plpgsql as $$
declare
    v_type text;
begin
    select n.node_type into v_type from pgq_node.node_info n where n.queue_name = i_queue_name;
    if not found then
        ret_code := 404;
        ret_note := 'Unknown queue: ' || i_queue_name;
        return;
    end if;
    if i_expect_root and v_type <> 'root' then
        ret_code := 401;
        ret_note := 'Node is not root node: ' || i_queue_name;
        return;
    end if;
    insert into londiste.applied_execute (queue_name, execute_file, execute_sql, execute_attrs)
    values (i_queue_name, i_file_name, i_sql, i_attrs)
        on conflict do nothing;
    if found then
        ret_code := 200;
        ret_note := 'Executing: ' || i_file_name;
    else
        ret_code := 201;
        ret_note := 'EXECUTE: "' || i_file_name || '" already applied, skipping';
    end if;
end;
$$;

create or replace function londiste.execute_start(
    in i_queue_name text, in i_file_name text, in i_sql text, in i_expect_root boolean,
    out ret_code int4, out ret_note text)
language sql as $$
    select r.ret_code, r.ret_note
      from londiste.execute_start(i_queue_name, i_file_name, i_sql, i_expect_root, null) r;
$$;
