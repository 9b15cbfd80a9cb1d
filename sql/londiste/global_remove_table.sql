-- Forget that a table exists on the queue; a node other than the root stops replicating it first. A combined root
-- forgets it too once none of its partitions knows the table and it was never local there.
-- Result: 200, 400 not known, 404 no such queue.
create or replace function londiste.global_remove_table(
    in i_queue_name text, in i_table_name text,
    out ret_code int4, out ret_note text)
language plpgsql strict as $$
declare
    v_fq   text := londiste.make_fqname(i_table_name);
    v_node record;
begin
    select n.node_type, n.combined_queue, c.node_type as combined_type into v_node
      from pgq_node.node_info n
      left join pgq_node.node_info c on c.queue_name = n.combined_queue
     where n.queue_name = i_queue_name;
    if not found then
        ret_code := 404;
        ret_note := 'Unknown queue: ' || i_queue_name;
        return;
    end if;
    if v_node.node_type <> 'root' then
        perform londiste.local_remove_table(i_queue_name, v_fq);
    end if;
    delete from londiste.table_info t where t.queue_name = i_queue_name and t.table_name = v_fq;
    if not found then
        ret_code := 400;
        ret_note := 'Table not found: ' || v_fq;
        return;
    end if;
    if v_node.combined_type = 'root' then
        delete from londiste.table_info t
         where t.queue_name = v_node.combined_queue and t.table_name = v_fq and not t.local
           and not exists (select from londiste.table_info o
                            where o.table_name = v_fq and o.queue_name in (select londiste._merge_queues(i_queue_name)));
    end if;
    ret_code := 200;
    ret_note := 'Table removed: ' || i_table_name;
end;
$$;
