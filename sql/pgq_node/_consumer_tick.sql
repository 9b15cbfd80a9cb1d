-- Position of a consumer on a local queue, NULL when it is not registered.
create or replace function pgq_node._consumer_tick(i_queue_name text, i_consumer_name text) returns int8
language sql stable set search_path = pg_catalog, pg_temp as $$
    select s.sub_last_tick
      from pgq.queue q
      join pgq.subscription s on s.sub_queue = q.queue_id
      join pgq.consumer c on c.co_id = s.sub_consumer
     where q.queue_name = i_queue_name and c.co_name = i_consumer_name;
$$;
