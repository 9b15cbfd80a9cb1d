-- Other local queues whose events go to the same combined queue as this one's. None when there is no combined queue.
create or replace function londiste._merge_queues(i_queue_name text) returns setof text
language sql strict stable as $$
    select o.queue_name
      from pgq_node.node_info n
      join pgq_node.node_info o on o.combined_queue = n.combined_queue and o.queue_name <> n.queue_name
     where n.queue_name = i_queue_name;
$$;
