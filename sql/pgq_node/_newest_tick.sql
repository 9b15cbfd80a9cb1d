-- Newest tick of a local queue, NULL without one.
create or replace function pgq_node._newest_tick(i_queue_name text) returns int8
language sql stable set search_path = pg_catalog, pg_temp as $$
    select t.tick_id
      from pgq.tick t
     where t.tick_queue = (select q.queue_id from pgq.queue q where q.queue_name = i_queue_name)
     order by t.tick_queue desc, t.tick_id desc
     limit 1;
$$;
