-- Let a node read from this one: its worker gets a position, and a hidden consumer keeps what the nodes below need.
--   i_custom_tick_id  where the worker begins; NULL: the global watermark
-- Result: 200 with the global watermark, 401 this node is a leaf, 404 no such node.
-- Error: unique violation when subscribed already, foreign key violation without its location, unknown tick.
create or replace function pgq_node.register_subscriber(
    in i_queue_name text, in i_remote_node_name text, in i_remote_worker_name text, in i_custom_tick_id int8,
    out ret_code int4, out ret_note text, out global_watermark bigint)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_node_type      text;
    v_watermark_name text := '.' || i_remote_node_name || '.watermark';
begin
    select n.node_type into v_node_type from pgq_node.node_info n where n.queue_name = i_queue_name;
    if not found then
        ret_code := 404;
        ret_note := 'Unknown queue: ' || i_queue_name;
        return;
    end if;
    if v_node_type = 'leaf' then
        ret_code := 401;
        ret_note := 'Cannot subscribe to leaf node';
        return;
    end if;

    global_watermark := pgq_node._consumer_tick(i_queue_name, '.global_watermark');
    perform pgq.register_consumer_at(i_queue_name, v_watermark_name, global_watermark);
    perform pgq.register_consumer_at(i_queue_name, i_remote_worker_name, coalesce(i_custom_tick_id, global_watermark));
    insert into pgq_node.subscriber_info (queue_name, subscriber_node, worker_name, watermark_name)
    values (i_queue_name, i_remote_node_name, i_remote_worker_name, v_watermark_name);
    ret_code := 200;
    ret_note := 'Subscriber registered: ' || i_remote_node_name;
end;
$$;
