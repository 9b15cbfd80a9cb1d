-- Forget a member of a queue; if it is subscribed here, the subscription goes too.
-- A root passes it on as event pgq.unregister-location.
-- Result: 200, 301 not known, 403 the node itself or its provider. Error: foreign key violation while another local
-- consumer reads from that node.
create or replace function pgq_node.unregister_location(
    in i_queue_name text, in i_node_name text,
    out ret_code int4, out ret_note text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_node record;
begin
    select n.node_type, n.node_name, s.provider_node into v_node
      from pgq_node.node_info n
      left join pgq_node.local_state s on s.queue_name = n.queue_name and s.consumer_name = n.worker_name
     where n.queue_name = i_queue_name
       for update of n;
    if found then
        if v_node.node_name = i_node_name then
            ret_code := 403;
            ret_note := 'Cannot drop node''s own location';
            return;
        end if;
        if v_node.provider_node = i_node_name then
            ret_code := 403;
            ret_note := 'Cannot drop location of node''s parent';
            return;
        end if;
        perform pgq_node.unregister_subscriber(i_queue_name, i_node_name);
    end if;

    delete from pgq_node.node_location l where l.queue_name = i_queue_name and l.node_name = i_node_name;
    if found then
        ret_code := 200;
        ret_note := 'Ok';
    else
        ret_code := 301;
        ret_note := 'Location not found: ' || i_queue_name || '/' || i_node_name;
    end if;

    if v_node.node_type = 'root' then
        perform pgq.insert_event(i_queue_name, 'pgq.unregister-location', i_node_name,
                                 i_queue_name, null, null, null);
    end if;
end;
$$;
