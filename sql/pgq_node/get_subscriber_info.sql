-- Nodes that read from this one, with the tick their hidden consumer keeps.
create or replace function pgq_node.get_subscriber_info(
    in i_queue_name text,
    out node_name text, out worker_name text, out node_watermark int8) returns setof record
language sql security definer set search_path = pg_catalog, pg_temp as $$
    select s.subscriber_node, s.worker_name, pgq_node._consumer_tick(s.queue_name, s.watermark_name)
      from pgq_node.subscriber_info s
     where s.queue_name = i_queue_name
     order by s.subscriber_node;
$$;
