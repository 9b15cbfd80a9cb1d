-- Describe the local node of a queue.
-- Result: 100, or 404 with NULLs. worker_last_tick of a root is the queue's newest tick; target_for of a root or branch
-- lists the local leaf queues that feed it.
create or replace function pgq_node.get_node_info(
    in i_queue_name text,
    out ret_code int4, out ret_note text,
    out node_type text, out node_name text, out global_watermark bigint, out local_watermark bigint,
    out provider_node text, out provider_location text, out combined_queue text, out combined_type text,
    out worker_name text, out worker_paused bool, out worker_uptodate bool, out worker_last_tick bigint,
    out node_attrs text, out target_for text[])
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    select 100, 'Ok', n.node_type, n.node_name, c.queue_name, c.node_type,
           s.provider_node, l.node_location, n.worker_name, s.paused, s.uptodate, s.last_tick_id, n.node_attrs
      into ret_code, ret_note, node_type, node_name, combined_queue, combined_type,
           provider_node, provider_location, worker_name, worker_paused, worker_uptodate, worker_last_tick, node_attrs
      from pgq_node.node_info n
      left join pgq_node.node_info c on c.queue_name = n.combined_queue
      left join pgq_node.local_state s on s.queue_name = n.queue_name and s.consumer_name = n.worker_name
      left join pgq_node.node_location l on l.queue_name = s.queue_name and l.node_name = s.provider_node
     where n.queue_name = i_queue_name;
    if not found then
        ret_code := 404;
        ret_note := 'Unknown queue: ' || i_queue_name;
        return;
    end if;

    if node_type = 'leaf' then
        local_watermark := worker_last_tick;
        return;
    end if;
    global_watermark := pgq_node._consumer_tick(i_queue_name, '.global_watermark');
    local_watermark := pgq_node._local_watermark(i_queue_name);
    if node_type = 'root' then
        worker_last_tick := pgq_node._newest_tick(i_queue_name);
    end if;
    select array_agg(n.queue_name order by n.queue_name) into target_for
      from pgq_node.node_info n
     where n.combined_queue = i_queue_name and n.node_type = 'leaf';
end;
$$;
