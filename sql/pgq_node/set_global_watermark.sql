-- Move the tick up to which all nodes are done. It never moves back.
-- On a root NULL means its local watermark; the root stores it as its position and publishes it as event
-- pgq.global-watermark. A branch follows the events, a leaf has none.
-- Result: 200 moved, or skipped (tick unknown on a branch, or behind the present one); 100 leaf; 404 no such node;
-- 500 NULL on a branch. Locks the node row.
create or replace function pgq_node.set_global_watermark(
    in i_queue_name text, in i_watermark bigint,
    out ret_code int4, out ret_note text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_node      record;
    v_watermark bigint := i_watermark;
begin
    select n.node_type, n.worker_name into v_node
      from pgq_node.node_info n where n.queue_name = i_queue_name for update;
    if not found then
        ret_code := 404;
        ret_note := 'Queue' || i_queue_name || ' not found';
        return;
    end if;
    if v_node.node_type = 'leaf' then
        ret_code := 100;
        ret_note := 'Ignoring global watermark in leaf';
        return;
    end if;
    if v_watermark is null then
        if v_node.node_type = 'branch' then
            ret_code := 500;
            ret_note := 'bad usage: wm=null on branch node';
            return;
        end if;
        v_watermark := pgq_node._local_watermark(i_queue_name);
        if v_watermark is null then
            raise exception 'local_watermark=NULL from get_node_info()?';
        end if;
    end if;

    if v_watermark < pgq_node._consumer_tick(i_queue_name, '.global_watermark')
       or (v_node.node_type = 'branch'
           and not exists (select from pgq.tick t join pgq.queue q on q.queue_id = t.tick_queue
                            where q.queue_name = i_queue_name and t.tick_id = v_watermark)) then
        ret_code := 200;
        ret_note := 'Skipping global watermark update to ' || v_watermark;
        return;
    end if;
    perform pgq.register_consumer_at(i_queue_name, '.global_watermark', v_watermark);
    if v_node.node_type = 'root' then
        perform pgq.insert_event(i_queue_name, 'pgq.global-watermark', v_watermark::text,
                                 i_queue_name, null, null, null);
        update pgq_node.local_state s set last_tick_id = v_watermark
         where s.queue_name = i_queue_name and s.consumer_name = v_node.worker_name;
    end if;
    ret_code := 200;
    ret_note := 'Global watermark set to ' || v_watermark;
end;
$$;
