-- Dropped foreign keys that the worker of this queue can restore now: all registrations of both tables, on whatever
-- queue, are in sync and have no snapshot to filter by. A table that no queue of this node replicates does not count.
-- One queue is chosen for each key: a leaf of a combined root, else a combined branch, else the first.
create or replace function londiste.get_valid_pending_fkeys(i_queue_name text) returns setof londiste.pending_fkeys
language sql strict stable as $$
    select p.*
      from londiste.pending_fkeys p
     cross join lateral (
        select bool_and(t.merge_state is not distinct from 'ok' and t.custom_snapshot is null) as in_sync,
               bool_or(t.queue_name = i_queue_name) as mine,
               coalesce(min(t.queue_name) filter (where n.node_type = 'leaf' and c.node_type = 'root'),
                        min(c.queue_name) filter (where n.node_type = 'leaf' and c.node_type = 'branch'),
                        min(t.queue_name)) as elected
          from londiste.table_info t
          join pgq_node.node_info n on n.queue_name = t.queue_name
          left join pgq_node.node_info c on c.queue_name = n.combined_queue
         where t.local and coalesce(t.dest_table, t.table_name) in (p.from_table, p.to_table)) g
     where g.in_sync and g.mine and g.elected = i_queue_name
     order by p.from_table, p.to_table, p.fkey_name;
$$;
