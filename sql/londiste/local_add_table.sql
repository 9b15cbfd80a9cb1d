-- Start replicating a table on this node: a root publishes it, other nodes subscribe to it.
--   i_trg_args     expect_sync    the data is there already: no copy
--                  skip_truncate  the copy leaves the present rows in the table
--                  merge_all, no_merge  on a leaf: take the table from all partitions of its combined queue, or from
--                                 this one without looking at the others
--                  virtual_table  no table behind it: no checks, no triggers, no copy
--                  no_triggers    no triggers
--                  tgflags=<letters>  I, U, D: log only these; L, Q, J: use pgq's logutriga, sqltriga, jsontriga;
--                                 A, B: after, before; S: as skip
--                  skip           the trigger suppresses the change
--                  key=c1,c2  pkey=c1,c2  columns that identify a row (default: primary key, else a unique NOT NULL index)
--                  insert_only    log inserts only; needs no key
--                  whole_row      rows are identified by all their columns; needs no key
--                  others         go to the trigger functions of pgq, which are used then
--   i_table_attrs  urlencoded attributes for the worker
--   i_dest_table   physical name, NULL: the same
-- Result: 200; 301 another trigger fires before ours; 400 no key, no node; 404 no table, or not known on the queue;
-- 405 in conflict with other queues; 410 registered with other attributes. Nothing is changed at 400 and above.
-- Locks: the table's rows in table_info, the table itself (SHARE ROW EXCLUSIVE) until commit.
create or replace function londiste.local_add_table(
    in i_queue_name text, in i_table_name text, in i_trg_args text[], in i_table_attrs text, in i_dest_table text,
    out ret_code int4, out ret_note text)
language plpgsql as $$
declare
    v_args     text[] := coalesce(i_trg_args, '{}');
    v_fq       text := londiste.make_fqname(i_table_name);
    v_dest     text := londiste.make_fqname(coalesce(i_dest_table, i_table_name));
    v_desc     text := v_fq || case when v_dest <> v_fq then '(' || v_dest || ')' else '' end;
    v_virtual  boolean := v_args @> array['virtual_table'];
    v_merge    boolean := v_args @> array['merge_all'];
    v_alone    boolean := v_args @> array['no_merge'];
    v_attrs    text := i_table_attrs;
    v_node     record;
    v_plan     record;
    v_known    record;
    v_state    text;
    v_row      record;
    v_combined_code int4;
    v_combined_note text;
    v_trigger  record;
    v_first    text;
begin
    if v_merge and v_alone then
        ret_code := 405;
        ret_note := 'Cannot use merge-all and no-merge together';
        return;
    end if;
    if v_args @> array['skip_truncate'] then
        v_attrs := coalesce(v_attrs || '&', '') || 'skip_truncate=1';
    end if;
    select n.node_type, n.combined_queue, c.node_type as combined_type into v_node
      from pgq_node.node_info n
      left join pgq_node.node_info c on c.queue_name = n.combined_queue
     where n.queue_name = i_queue_name;

    select * into v_plan from londiste._trigger_plan(i_queue_name, v_fq, v_args, v_dest, v_node.node_type);
    if not v_virtual then
        if londiste.find_table_oid(v_dest) is null then
            ret_code := 404;
            ret_note := 'Table does not exist: ' || v_desc;
            return;
        end if;
        -- A merge copy in progress may have dropped the key and keeps its definition.
        if v_plan.needs_key and v_plan.key_columns is null
           and not exists (select from londiste.table_info t
                            where coalesce(t.dest_table, t.table_name) = v_dest and t.dropped_ddl is not null
                              and t.queue_name in (select londiste._merge_queues(i_queue_name))) then
            ret_code := 400;
            ret_note := 'Primary key missing on table: ' || v_desc;
            return;
        end if;
    end if;
    if v_node.node_type is null then
        ret_code := 400;
        ret_note := 'No such set: ' || i_queue_name;
        return;
    end if;

    select t.local, t.table_attrs into v_known
      from londiste.table_info t
     where t.queue_name = i_queue_name and t.table_name = v_fq
       for update;
    if not found and v_node.node_type <> 'root' then
        ret_code := 404;
        ret_note := 'Table not available on queue: ' || v_desc;
        return;
    end if;
    if v_known.local then
        if v_known.table_attrs is distinct from v_attrs then
            ret_code := 410;
            ret_note := 'Table ' || v_desc || ' already added, but with different args: '
                        || coalesce(v_known.table_attrs, '');
        else
            ret_code := 200;
            ret_note := 'Table already added: ' || v_desc;
        end if;
        return;
    end if;
    if v_plan.ret_code > 299 then
        ret_code := v_plan.ret_code;
        ret_note := 'Trigger creation failed for table ' || v_desc || ': ' || v_plan.ret_note;
        return;
    end if;
    if v_virtual or v_args @> array['expect_sync'] or v_node.node_type = 'root' or v_node.combined_type = 'branch' then
        v_state := 'ok';
    end if;

    -- The same table from other partitions.
    if v_node.node_type = 'leaf' and not v_alone then
        for v_row in
            select t.queue_name, t.local, t.dropped_ddl
              from londiste.table_info t
             where t.queue_name in (select londiste._merge_queues(i_queue_name))
               and coalesce(t.dest_table, t.table_name) = v_dest
             order by t.queue_name
               for update
        loop
            if v_row.local and (v_state is null or v_row.dropped_ddl is not null) then
                ret_code := 405;
                ret_note := 'Found local table ' || v_desc || ' in queue ' || v_row.queue_name
                            || ', use remove-table first to remove all previous table subscriptions';
                return;
            end if;
            if v_state is null and not v_merge then
                ret_code := 405;
                ret_note := 'Found multiple sources for table ' || v_desc || ', use merge-all or no-merge to continue';
                return;
            end if;
        end loop;
        if v_node.combined_type in ('root', 'branch')
           and not exists (select from londiste.table_info t
                            where t.queue_name = v_node.combined_queue and t.table_name = v_fq and t.local) then
            select r.ret_code, r.ret_note into v_combined_code, v_combined_note
              from londiste.local_add_table(v_node.combined_queue, i_table_name, i_trg_args, i_table_attrs, i_dest_table) r;
            if v_combined_code >= 400 then
                ret_code := v_combined_code;
                ret_note := v_combined_note;
                return;
            end if;
        end if;
    end if;

    -- All is checked: change.
    if v_node.node_type = 'root' then
        if v_known.local is null then
            perform londiste.global_add_table(i_queue_name, v_fq);
        end if;
        perform londiste.root_notify_change(i_queue_name, 'londiste.add-table', v_fq);
    end if;
    update londiste.table_info t
       set local = true, merge_state = v_state, table_attrs = coalesce(v_attrs, t.table_attrs),
           dest_table = nullif(v_dest, v_fq)
     where t.queue_name = i_queue_name and t.table_name = v_fq;
    if v_node.node_type = 'leaf' and not v_alone then
        for v_row in
            select t.queue_name, t.table_name, t.local
              from londiste.table_info t
             where t.queue_name in (select londiste._merge_queues(i_queue_name))
               and coalesce(t.dest_table, t.table_name) = v_dest
        loop
            update londiste.table_info t
               set local = true, merge_state = v_state, table_attrs = coalesce(v_attrs, t.table_attrs)
             where t.queue_name = v_row.queue_name and t.table_name = v_row.table_name;
            if not v_row.local then
                perform londiste.create_trigger(v_row.queue_name, v_row.table_name, i_trg_args, v_dest, 'leaf');
            end if;
        end loop;
    end if;

    select r.ret_code, r.ret_note, r.trigger_name into v_trigger
      from londiste.create_trigger(i_queue_name, v_fq, i_trg_args, v_dest, v_node.node_type) r;
    if v_trigger.ret_code > 299 then
        ret_code := v_trigger.ret_code;
        ret_note := 'Trigger creation failed for table ' || v_desc || ': ' || v_trigger.ret_note;
        return;
    end if;
    ret_code := 200;
    if v_trigger.ret_code = 201 then
        ret_note := 'Table added with no triggers: ' || v_desc;
    else
        ret_note := 'Table added: ' || v_desc;
        v_first := londiste._earlier_trigger(londiste.find_table_oid(v_dest), v_trigger.trigger_name);
        if v_first is not null then
            ret_code := 301;
            ret_note := 'Table added: ' || v_desc || ', but londiste trigger is not first: ' || v_first;
        end if;
    end if;
    if ret_code = 200 and v_combined_code >= 300 then
        ret_code := v_combined_code;
        ret_note := v_combined_note;
    end if;
end;
$$;

-- Shorter forms: no destination, no attributes, no trigger arguments.
create or replace function londiste.local_add_table(
    in i_queue_name text, in i_table_name text, in i_trg_args text[], in i_table_attrs text,
    out ret_code int4, out ret_note text)
language sql as $$
    select r.ret_code, r.ret_note
      from londiste.local_add_table(i_queue_name, i_table_name, i_trg_args, i_table_attrs, null) r;
$$;

create or replace function londiste.local_add_table(
    in i_queue_name text, in i_table_name text, in i_trg_args text[],
    out ret_code int4, out ret_note text)
language sql as $$
    select r.ret_code, r.ret_note
      from londiste.local_add_table(i_queue_name, i_table_name, i_trg_args, null, null) r;
$$;

create or replace function londiste.local_add_table(
    in i_queue_name text, in i_table_name text,
    out ret_code int4, out ret_note text)
language sql strict as $$
    select r.ret_code, r.ret_note
      from londiste.local_add_table(i_queue_name, i_table_name, null, null, null) r;
$$;
