-- Stop replicating a table on this node; a root takes it off the queue for all nodes. Registered sequences that belong
-- to the table's columns go too. If a merge copy had dropped keys and indexes, the half-copied rows are removed and the
-- keys and indexes are made again.
-- Result: 200, 400 not known or not local.
create or replace function londiste.local_remove_table(
    in i_queue_name text, in i_table_name text,
    out ret_code int4, out ret_note text)
language plpgsql strict as $$
declare
    v_fq    text := londiste.make_fqname(i_table_name);
    v_table record;
    v_oid   oid;
    v_root  boolean;
    v_seq   record;
begin
    select t.local, t.merge_state, t.dropped_ddl, coalesce(t.dest_table, t.table_name) as dest into v_table
      from londiste.table_info t
     where t.queue_name = i_queue_name and t.table_name = v_fq
       for update;
    if not found then
        ret_code := 400;
        ret_note := 'Table not found: ' || v_fq;
        return;
    end if;
    v_root := pgq_node.is_root_node(i_queue_name);
    if not v_table.local and not v_root then
        ret_code := 400;
        ret_note := 'Table not registered locally: ' || v_fq;
        return;
    end if;

    if v_table.local then
        v_oid := londiste.find_table_oid(v_table.dest);
        perform londiste.drop_table_triggers(i_queue_name, v_fq);
        perform londiste._drop_capture(i_queue_name, v_fq);
        if v_table.dropped_ddl is not null and v_oid is not null then
            -- Without a copy in progress the rows are the user's.
            if v_table.merge_state in ('in-copy', 'catching-up') then
                perform londiste._truncate_copied(v_table.dest);
            end if;
            execute v_table.dropped_ddl;
        end if;
        update londiste.table_info t
           set local = false, custom_snapshot = null, table_attrs = null, dropped_ddl = null, merge_state = null,
               dest_table = null
         where t.queue_name = i_queue_name and t.table_name = v_fq;
        for v_seq in
            select s.seq_name
              from pg_catalog.pg_depend d
              join pg_catalog.pg_class c on c.oid = d.objid and c.relkind = 'S'
              join pg_catalog.pg_namespace n on n.oid = c.relnamespace
              join londiste.seq_info s on s.seq_name = n.nspname || '.' || c.relname
             where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
               and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
               and d.refobjid = v_oid and d.refobjsubid > 0
               and d.deptype in ('a', 'i') -- serial, identity
               and s.queue_name = i_queue_name and s.local
             order by s.nr
        loop
            perform londiste.local_remove_seq(i_queue_name, v_seq.seq_name);
        end loop;
    end if;
    if v_root then
        perform londiste.global_remove_table(i_queue_name, v_fq);
        perform londiste.root_notify_change(i_queue_name, 'londiste.remove-table', v_fq);
    end if;
    ret_code := 200;
    ret_note := 'Table removed: ' || v_fq;
end;
$$;
