-- Store the value a root has published for a sequence; a registered one is moved up to it, never down.
-- Result: 200, 402 this is the root, 404 no such node. Locks the node row.
create or replace function londiste.global_update_seq(
    in i_queue_name text, in i_seq_name text, in i_value int8,
    out ret_code int4, out ret_note text)
language plpgsql as $$
declare
    v_fq    text := londiste.make_fqname(i_seq_name);
    v_type  text;
    v_local boolean;
begin
    select n.node_type into v_type
      from pgq_node.node_info n where n.queue_name = i_queue_name for update;
    if not found then
        ret_code := 404;
        ret_note := 'Set not found: ' || i_queue_name;
        return;
    end if;
    if v_type = 'root' then
        ret_code := 402;
        ret_note := 'Must not run on root node';
        return;
    end if;
    insert into londiste.seq_info as s (queue_name, seq_name, local, last_value)
    values (i_queue_name, v_fq, false, i_value)
        on conflict on constraint seq_info_pkey do update set last_value = excluded.last_value
    returning s.local into v_local;
    -- One that was dropped here must not stop the queue.
    if v_local and londiste.find_seq_oid(v_fq) is not null then
        perform pgq.seq_setval(v_fq, i_value);
    end if;
    ret_code := 200;
    ret_note := 'Sequence updated';
end;
$$;
