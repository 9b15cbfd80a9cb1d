-- Replace attributes and trigger arguments of a replicated table. Events from before keep their form.
-- Result: 200; 400 no such node, no key; 403, 405 as londiste.create_trigger; 404 not a local table. Nothing is changed
-- at 400 and above.
create or replace function londiste.local_change_handler(
    in i_queue_name text, in i_table_name text, in i_trg_args text[], in i_table_attrs text,
    out ret_code int4, out ret_note text)
language plpgsql as $$
declare
    v_fq      text := londiste.make_fqname(i_table_name);
    v_type    text;
    v_dest    text;
    v_desc    text;
    v_trigger record;
begin
    select n.node_type into v_type from pgq_node.node_info n where n.queue_name = i_queue_name;
    if not found then
        ret_code := 400;
        ret_note := 'No such set: ' || i_queue_name;
        return;
    end if;
    select coalesce(t.dest_table, t.table_name) into v_dest
      from londiste.table_info t
     where t.queue_name = i_queue_name and t.table_name = v_fq and t.local
       for update;
    if not found then
        ret_code := 404;
        ret_note := 'no such local table: ' || v_fq;
        return;
    end if;
    v_desc := v_fq || case when v_dest <> v_fq then '(' || v_dest || ')' else '' end;

    select r.ret_code, r.ret_note into v_trigger
      from londiste.create_trigger(i_queue_name, v_fq, i_trg_args, v_dest, v_type) r;
    if v_trigger.ret_code > 299 then
        ret_code := v_trigger.ret_code;
        ret_note := 'Trigger creation failed for table ' || v_desc || ': ' || v_trigger.ret_note;
        return;
    end if;
    perform londiste.local_set_table_attrs(i_queue_name, v_fq, i_table_attrs);
    ret_code := 200;
    if v_trigger.ret_code = 201 then
        perform londiste.drop_table_triggers(i_queue_name, v_fq);
        perform londiste._drop_capture(i_queue_name, v_fq);
        ret_note := 'Table handler updated with no triggers: ' || v_desc;
    else
        ret_note := 'Handler changed for table: ' || v_desc;
    end if;
end;
$$;
