-- The stream of a combined branch says how far a partition has got: move the worker of the local leaf of that
-- partition, which waits behind. Never moves back.
-- Result: 200, 201 the part queue is no such leaf here, 401 its worker has no state.
create or replace function pgq_node.set_partition_watermark(
    in i_combined_queue_name text, in i_part_queue_name text, in i_watermark bigint,
    out ret_code int4, out ret_note text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_worker text;
begin
    select p.worker_name into v_worker
      from pgq_node.node_info c
      join pgq_node.node_info p on p.combined_queue = c.queue_name
     where c.queue_name = i_combined_queue_name and c.node_type = 'branch'
       and p.queue_name = i_part_queue_name and p.node_type = 'leaf';
    if not found then
        ret_code := 201;
        ret_note := 'Part-queue does not exist';
        return;
    end if;
    update pgq_node.local_state s set last_tick_id = greatest(s.last_tick_id, i_watermark)
     where s.queue_name = i_part_queue_name and s.consumer_name = v_worker;
    if not found then
        ret_code := 401;
        ret_note := 'Worker registration not found';
        return;
    end if;
    ret_code := 200;
    ret_note := 'Ok';
end;
$$;
