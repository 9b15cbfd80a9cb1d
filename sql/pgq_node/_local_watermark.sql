-- Lowest tick of a queue that something at or below this node still needs: the least position of all its consumers
-- except the global watermark, the newest tick without consumers, NULL without a queue.
create or replace function pgq_node._local_watermark(i_queue_name text) returns int8
language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(
        (select min(s.sub_last_tick)
           from pgq.queue q
           join pgq.subscription s on s.sub_queue = q.queue_id
           join pgq.consumer c on c.co_id = s.sub_consumer
          where q.queue_name = i_queue_name and c.co_name <> '.global_watermark'),
        pgq_node._newest_tick(i_queue_name));
$$;
