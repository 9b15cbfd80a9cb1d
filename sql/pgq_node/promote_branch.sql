-- Turn the local branch into the root: its queue takes events and makes ticks from here on.
-- Result: 200, 301 not a branch, 404 no such node. Locks the node row.
create or replace function pgq_node.promote_branch(
    in i_queue_name text,
    out ret_code int4, out ret_note text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_node record;
    v_tick bigint;
    v_seq  text;
begin
    select n.node_type, n.node_name, n.worker_name into v_node
      from pgq_node.node_info n where n.queue_name = i_queue_name for update;
    if not found then
        ret_code := 404;
        ret_note := 'Node not initialized for queue: ' || i_queue_name;
        return;
    end if;
    if v_node.node_type <> 'branch' then
        ret_code := 301;
        ret_note := 'Node not branch';
        return;
    end if;

    update pgq.queue q set queue_disable_insert = false, queue_external_ticker = false
     where q.queue_name = i_queue_name
    returning q.queue_tick_seq into v_seq;
    v_tick := pgq_node._newest_tick(i_queue_name);
    perform pgq.seq_setval(v_seq, v_tick);

    update pgq_node.node_info n set node_type = 'root' where n.queue_name = i_queue_name;
    update pgq_node.local_state s
       set provider_node = v_node.node_name, last_tick_id = v_tick, uptodate = false
     where s.queue_name = i_queue_name and s.consumer_name = v_node.worker_name;
    ret_code := 200;
    ret_note := 'Branch node promoted to root';
end;
$$;
