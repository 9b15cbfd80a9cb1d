-- Start replicating a sequence on this node: a root publishes it at once, other nodes take over the published value.
-- Result: 200, 201 registered already, 400 no such sequence, 404 no such node, or not known on the queue.
create or replace function londiste.local_add_seq(
    in i_queue_name text, in i_seq_name text,
    out ret_code int4, out ret_note text)
language plpgsql as $$
declare
    v_fq   text := londiste.make_fqname(i_seq_name);
    v_type text;
    v_seq  record;
begin
    select n.node_type into v_type from pgq_node.node_info n where n.queue_name = i_queue_name;
    if not found then
        ret_code := 404;
        ret_note := 'Unknown queue: ' || i_queue_name;
        return;
    end if;
    if londiste.find_seq_oid(v_fq) is null then
        ret_code := 400;
        ret_note := 'Sequence not found: ' || v_fq;
        return;
    end if;
    if v_type = 'root' then
        insert into londiste.seq_info (queue_name, seq_name, local, last_value) values (i_queue_name, v_fq, false, 0)
            on conflict do nothing;
    end if;
    select s.local, s.last_value into v_seq
      from londiste.seq_info s where s.queue_name = i_queue_name and s.seq_name = v_fq for update;
    if not found then
        ret_code := 404;
        ret_note := 'Unknown sequence: ' || v_fq;
        return;
    end if;
    if v_seq.local then
        ret_code := 201;
        ret_note := 'Sequence already added: ' || v_fq;
        return;
    end if;
    update londiste.seq_info s set local = true where s.queue_name = i_queue_name and s.seq_name = v_fq;
    if v_type = 'root' then
        perform londiste.root_check_seqs(i_queue_name);
    else
        perform pgq.seq_setval(v_fq, v_seq.last_value);
    end if;
    ret_code := 200;
    ret_note := 'Sequence added: ' || v_fq;
end;
$$;
