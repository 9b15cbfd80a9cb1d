-- Publish sequences of a root that come near the value published before. A sequence that was dropped is passed over.
--   i_buffer  how near, default 10000; the new value is three times that ahead of the real one
-- Result: 100, 402 not a root, 404 no such node. Locks the node row. Needs SELECT on the sequences.
create or replace function londiste.root_check_seqs(
    in i_queue_name text, in i_buffer int8,
    out ret_code int4, out ret_note text)
language plpgsql as $$
declare
    v_buffer int8 := case when i_buffer >= 10 then i_buffer else 10000 end;
    v_type   text;
    v_seq    record;
    v_real   int8;
begin
    select n.node_type into v_type
      from pgq_node.node_info n where n.queue_name = i_queue_name for update;
    if not found then
        ret_code := 404;
        ret_note := 'Queue not found: ' || i_queue_name;
        return;
    end if;
    if v_type <> 'root' then
        ret_code := 402;
        ret_note := 'Not a root node';
        return;
    end if;
    for v_seq in
        select s.seq_name, s.last_value
          from londiste.seq_info s
         where s.queue_name = i_queue_name and s.local and londiste.find_seq_oid(s.seq_name) is not null
         order by s.nr
    loop
        execute 'select q.last_value from ' || londiste.quote_fqname(v_seq.seq_name) || ' q' into v_real;
        if v_real + v_buffer >= v_seq.last_value then
            v_real := v_real + v_buffer * 3;
            perform pgq.insert_event(i_queue_name, 'londiste.update-seq', v_real::text, v_seq.seq_name, null, null, null);
            update londiste.seq_info s set last_value = v_real
             where s.queue_name = i_queue_name and s.seq_name = v_seq.seq_name;
        end if;
    end loop;
    ret_code := 100;
    ret_note := 'Sequences updated';
end;
$$;

create or replace function londiste.root_check_seqs(
    in i_queue_name text,
    out ret_code int4, out ret_note text)
language sql as $$
    select r.ret_code, r.ret_note from londiste.root_check_seqs(i_queue_name, 10000) r;
$$;
