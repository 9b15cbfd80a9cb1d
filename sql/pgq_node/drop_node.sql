-- Drop a node: the local one with its queue and everything registered on it, or this node's knowledge of another one.
-- Called for a queue without a local node it removes what an earlier node left behind; a queue that was never part of
-- a cascade stays.
-- Result: 200 (also for unknown names), 400 no node name, 405 the provider of the local node.
create or replace function pgq_node.drop_node(
    in i_queue_name text, in i_node_name text,
    out ret_code int4, out ret_note text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_node     record;
    v_known    boolean;
    v_cascaded boolean;
begin
    if i_node_name is null then
        ret_code := 400;
        ret_note := 'Node name must be given';
        return;
    end if;
    select n.node_type, n.node_name, s.provider_node into v_node
      from pgq_node.node_info n
      left join pgq_node.local_state s on s.queue_name = n.queue_name and s.consumer_name = n.worker_name
     where n.queue_name = i_queue_name
       for update of n;
    v_known := found;

    if not v_known or v_node.node_name = i_node_name then
        -- The hidden consumer tells a queue left over by a node from a plain one.
        v_cascaded := exists (select from pgq.queue q where q.queue_name = i_queue_name)
                      and (v_known and v_node.node_type <> 'leaf'
                           or pgq_node._consumer_tick(i_queue_name, '.global_watermark') is not null);
        delete from pgq_node.subscriber_info s where s.queue_name = i_queue_name;
        delete from pgq_node.local_state s where s.queue_name = i_queue_name;
        -- Foreign keys do not cascade in role replica, so londiste's rows are deleted by name.
        if to_regclass('londiste.table_info') is not null then
            delete from londiste.table_info t where t.queue_name = i_queue_name;
            delete from londiste.seq_info s where s.queue_name = i_queue_name;
        end if;
        delete from pgq_node.node_info n where n.queue_name = i_queue_name;
        update pgq_node.node_info n set combined_queue = null where n.combined_queue = i_queue_name;
        if v_cascaded then
            perform pgq.drop_queue(i_queue_name, true);
        end if;
        delete from pgq_node.node_location l where l.queue_name = i_queue_name and l.node_name <> i_node_name;
        perform pgq_node.unregister_location(i_queue_name, i_node_name);
    elsif v_node.provider_node = i_node_name then
        ret_code := 405;
        ret_note := 'Cannot drop provider node: ' || i_node_name;
        return;
    else
        perform pgq_node.unregister_subscriber(i_queue_name, i_node_name);
        perform pgq_node.unregister_location(i_queue_name, i_node_name);
    end if;
    ret_code := 200;
    ret_note := 'Node dropped: ' || i_node_name;
end;
$$;
