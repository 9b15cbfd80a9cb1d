-- Drop all replication triggers of a queue from a table, whatever they are called.
-- Silent when the table is not registered or gone. Locks the table.
create or replace function londiste.drop_table_triggers(i_queue_name text, i_table_name text) returns void
language plpgsql strict as $$
declare
    v_dest    text;
    v_trigger record;
begin
    select coalesce(t.dest_table, t.table_name) into v_dest
      from londiste.table_info t
     where t.queue_name = i_queue_name and t.table_name = londiste.make_fqname(i_table_name);
    if not found then
        return;
    end if;
    for v_trigger in
        select q.trigger_name from londiste._queue_triggers(londiste.find_table_oid(v_dest), i_queue_name) q
    loop
        execute pg_catalog.format('drop trigger %I on %s', v_trigger.trigger_name, londiste.quote_fqname(v_dest));
    end loop;
end;
$$;
