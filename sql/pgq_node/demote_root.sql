-- Turn the local root into a branch, one step per transaction:
--   1  no more events and ticks; may be repeated
--   2  wait for writers, make the last tick; each call makes another
--   3  become a branch that reads from i_new_provider
-- Result: 200, 301 not a root, 404 no such node or queue. last_tick comes from steps 2 and 3.
-- Locks: the node row; step 2 then the event tables against writers.
-- Error: wrong step number or order.
create or replace function pgq_node.demote_root(
    in i_queue_name text, in i_step int4, in i_new_provider text,
    out ret_code int4, out ret_note text, out last_tick int8)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_node  record;
    v_queue record;
begin
    select n.node_type, n.worker_name into v_node
      from pgq_node.node_info n where n.queue_name = i_queue_name for update;
    if not found then
        ret_code := 404;
        ret_note := 'Node not initialized for queue: ' || i_queue_name;
        return;
    end if;
    if v_node.node_type <> 'root' then
        ret_code := 301;
        ret_note := 'Node not root';
        return;
    end if;
    select q.queue_disable_insert, q.queue_external_ticker, q.queue_data_pfx, q.queue_tick_seq, q.queue_event_seq
      into v_queue
      from pgq.queue q where q.queue_name = i_queue_name;
    if not found then
        ret_code := 404;
        ret_note := 'Huh, no queue?: ' || i_queue_name;
        return;
    end if;
    if i_step > 1 and not (v_queue.queue_disable_insert and v_queue.queue_external_ticker) then
        raise exception 'steps in wrong order';
    end if;

    ret_code := 200;
    if i_step = 1 then
        update pgq.queue q set queue_disable_insert = true, queue_external_ticker = true
         where q.queue_name = i_queue_name;
        ret_note := 'Step 1: Writing disabled for: ' || i_queue_name;
    elsif i_step = 2 then
        -- Writers that saw the queue open hold a lock on its tables until they commit: wait for them.
        execute format('lock table %s in exclusive mode', v_queue.queue_data_pfx::regclass);
        last_tick := nextval(v_queue.queue_tick_seq::regclass);
        perform pgq.ticker(i_queue_name, last_tick, now(), nextval(v_queue.queue_event_seq::regclass));
        ret_note := 'Step 2: Inserted last tick: ' || i_queue_name;
    elsif i_step = 3 then
        last_tick := pgq_node._newest_tick(i_queue_name);
        update pgq_node.node_info n set node_type = 'branch' where n.queue_name = i_queue_name;
        update pgq_node.local_state s
           set provider_node = i_new_provider, last_tick_id = last_tick, uptodate = false
         where s.queue_name = i_queue_name and s.consumer_name = v_node.worker_name;
        ret_note := 'Step 3: Demoted root to branch: ' || i_queue_name;
    else
        raise exception 'incorrect step number';
    end if;
end;
$$;
