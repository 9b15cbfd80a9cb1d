-- A subscribed node tells that it and the nodes below it are done up to a tick.
-- Result: 200, 100 already there, 404 not subscribed, 405 backwards or no tick given. Error: unknown tick.
create or replace function pgq_node.set_subscriber_watermark(
    in i_queue_name text, in i_node_name text, in i_watermark bigint,
    out ret_code int4, out ret_note text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_name text := '.' || i_node_name || '.watermark';
    v_tick bigint;
begin
    select s.sub_last_tick into v_tick
      from pgq.queue q
      join pgq.subscription s on s.sub_queue = q.queue_id
      join pgq.consumer c on c.co_id = s.sub_consumer
     where q.queue_name = i_queue_name and c.co_name = v_name
       for update of s;
    if not found then
        ret_code := 404;
        ret_note := 'node ' || i_node_name || ' not subscribed to queue ';
        return;
    end if;
    if i_watermark is null then
        ret_code := 405;
        ret_note := 'watermark must not be NULL';
    elsif i_watermark < v_tick then
        ret_code := 405;
        ret_note := 'watermark must not be moved backwards';
    elsif i_watermark = v_tick then
        ret_code := 100;
        ret_note := 'watermark already set';
    else
        perform pgq.register_consumer_at(i_queue_name, v_name, i_watermark);
        ret_code := 200;
        ret_note := v_name || ' set to ' || i_watermark;
    end if;
end;
$$;
