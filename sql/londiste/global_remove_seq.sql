-- Forget a sequence of the queue; a root tells the other nodes. Result: 200, 400 not known, 404 no such node.
create or replace function londiste.global_remove_seq(
    in i_queue_name text, in i_seq_name text,
    out ret_code int4, out ret_note text)
language plpgsql strict as $$
declare
    v_fq   text := londiste.make_fqname(i_seq_name);
    v_type text;
begin
    select n.node_type into v_type from pgq_node.node_info n where n.queue_name = i_queue_name;
    if not found then
        ret_code := 404;
        ret_note := 'Unknown queue: ' || i_queue_name;
        return;
    end if;
    delete from londiste.seq_info s where s.queue_name = i_queue_name and s.seq_name = v_fq;
    if not found then
        ret_code := 400;
        ret_note := 'Sequence not found: ' || v_fq;
        return;
    end if;
    if v_type = 'root' then
        perform londiste.root_notify_change(i_queue_name, 'londiste.remove-seq', v_fq);
    end if;
    ret_code := 200;
    ret_note := 'Sequence removed: ' || v_fq;
end;
$$;
