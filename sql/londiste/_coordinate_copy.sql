-- What a copy of a table has to wait for when several partitions of one combined queue copy into it.
-- Result: copy_role NULL (free to go), lead, wait-copy or wait-replay; copy_pos: partitions before this one in the queue
-- for copying. The lead drops keys and indexes for all and makes them again when everybody is done.
create or replace function londiste._coordinate_copy(
    in i_queue_name text, in i_table_name text,
    out copy_role text, out copy_pos int4)
language plpgsql strict stable as $$
declare
    v_fq    text := londiste.make_fqname(i_table_name);
    v_me    record;
    v_group record;
begin
    copy_pos := 0;
    select t.queue_name, t.merge_state, t.dropped_ddl, coalesce(t.dest_table, t.table_name) as dest into v_me
      from londiste.table_info t
     where t.queue_name = i_queue_name and t.table_name = v_fq;
    if not found then
        return;
    end if;

    select count(*) filter (where t.local) as total,
           count(*) filter (where t.local and t.merge_state <> 'in-copy') as copied,
           coalesce(min(t.queue_name) filter (where t.local and t.dropped_ddl is not null),
                    min(t.queue_name) filter (where t.local)) as lead,
           bool_or(t.local and t.dropped_ddl is not null) as has_ddl,
           count(*) filter (where t.queue_name < i_queue_name and t.merge_state = 'in-copy') as copying_before
      into v_group
      from londiste.table_info t
     where (t.queue_name = i_queue_name or t.queue_name in (select londiste._merge_queues(i_queue_name)))
       and coalesce(t.dest_table, t.table_name) = v_me.dest
       and t.merge_state is distinct from 'ok';

    if v_me.merge_state = 'in-copy' and v_group.lead is distinct from i_queue_name then
        copy_pos := v_group.copying_before;
    end if;
    if v_group.total <= 1 then
        return;
    end if;
    copy_role := case
        when v_me.merge_state = 'in-copy' then
            case when v_group.lead = i_queue_name
                 then case when v_me.dropped_ddl is null and v_group.copied > 0 then 'wait-replay' else 'lead' end
                 else case when v_group.has_ddl or v_group.copied > 0 then 'wait-replay' else 'wait-copy' end
            end
        when v_me.merge_state = 'catching-up' then
            case when v_group.lead = i_queue_name
                 then case when v_me.dropped_ddl is not null and v_group.copied < v_group.total then 'wait-replay' end
                 else case when v_group.has_ddl then 'wait-replay' end
            end
    end;
end;
$$;
