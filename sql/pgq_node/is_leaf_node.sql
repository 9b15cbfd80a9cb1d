-- True when the local node of the queue is a leaf. Error: the queue has no local node.
create or replace function pgq_node.is_leaf_node(i_queue_name text) returns bool
language plpgsql as $$
declare
    v_is bool;
begin
    select n.node_type = 'leaf' into v_is from pgq_node.node_info n where n.queue_name = i_queue_name;
    if not found then
        raise exception 'queue does not exist: %', i_queue_name;
    end if;
    return v_is;
end;
$$;
