-- Register a worker that shares the batches of a consumer; the consumer is registered too if it is not.
-- The worker is consumer '<consumer>.<subconsumer>' with the sub_id of the main one and no position of its own.
-- Returns 1 if new, 0 if it was registered. Errors: as pgq.register_consumer; the name belongs to an ordinary consumer.
create or replace function pgq_coop.register_subconsumer(i_queue_name text, i_consumer_name text, i_subconsumer_name text)
returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform pgq_coop._lock_main(i_queue_name, i_consumer_name, true);
    if pgq.register_consumer(i_queue_name, i_consumer_name || '.' || i_subconsumer_name) = 0 then
        perform pgq_coop._subconsumer(i_queue_name, i_consumer_name, i_subconsumer_name);
        return 0;
    end if;
    update pgq.subscription s
       set sub_id = m.sub_id, sub_last_tick = null, sub_next_tick = null
      from pgq.subscription m, pgq.consumer mc, pgq.consumer c, pgq.queue q
     where q.queue_name = i_queue_name
       and m.sub_queue = q.queue_id and mc.co_id = m.sub_consumer and mc.co_name = i_consumer_name
       and s.sub_queue = q.queue_id and c.co_id = s.sub_consumer
       and c.co_name = i_consumer_name || '.' || i_subconsumer_name;
    return 1;
end;
$$;
