-- Stop replicating a sequence on this node; a root takes it off the queue for all nodes.
-- Result: 200; 400 (root), 404 not known or no such node.
create or replace function londiste.local_remove_seq(
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
    if v_type = 'root' then
        select r.ret_code, r.ret_note into ret_code, ret_note
          from londiste.global_remove_seq(i_queue_name, v_fq) r;
        return;
    end if;
    update londiste.seq_info s set local = false
     where s.queue_name = i_queue_name and s.seq_name = v_fq and s.local;
    if not found then
        ret_code := 404;
        ret_note := 'Sequence not found: ' || v_fq;
        return;
    end if;
    ret_code := 200;
    ret_note := 'Sequence removed: ' || v_fq;
end;
$$;
