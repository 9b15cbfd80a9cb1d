-- Let the node know that a table exists on the queue; a leaf tells its combined queue too.
-- Result: 200 (also when it was known), 400 no such queue. Locks the node row.
create or replace function londiste.global_add_table(
    in i_queue_name text, in i_table_name text,
    out ret_code int4, out ret_note text)
language plpgsql strict as $$
declare
    v_fq       text := londiste.make_fqname(i_table_name);
    v_combined text;
begin
    select n.combined_queue into v_combined
      from pgq_node.node_info n where n.queue_name = i_queue_name for update;
    if not found then
        ret_code := 400;
        ret_note := 'No such queue: ' || i_queue_name;
        return;
    end if;
    ret_code := 200;
    if exists (select from londiste.table_info t where t.queue_name = i_queue_name and t.table_name = v_fq) then
        ret_note := 'Table already added: ' || v_fq;
        return;
    end if;
    insert into londiste.table_info (queue_name, table_name) values (i_queue_name, v_fq)
        on conflict do nothing;
    if not found then
        ret_note := 'Table already added: ' || i_table_name;
        return;
    end if;
    if v_combined is not null then
        perform londiste.global_add_table(v_combined, v_fq);
    end if;
    ret_note := 'Table added: ' || i_table_name;
end;
$$;
