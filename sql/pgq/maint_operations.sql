-- What maintenance has to do now, in order: functions with their argument (null: none), and vacuum with a table.
-- Each is to be run in a transaction of its own; a function that returns non-zero wants to be called again.
create or replace function pgq.maint_operations(out func_name text, out func_arg text) returns setof record
language plpgsql as $$
declare
    v_queue text;
    v_step2 boolean;
begin
    func_name := 'pgq.maint_rotate_tables_step1';
    for v_queue in
        select q.queue_name from pgq.queue q
         where q.queue_rotation_period is not null and q.queue_switch_step2 is not null
           and q.queue_switch_time + q.queue_rotation_period < current_timestamp
         order by q.queue_name
    loop
        func_arg := v_queue;
        v_step2 := true;
        return next;
    end loop;
    if v_step2 or exists (select 1 from pgq.queue q where q.queue_switch_step2 is null) then
        func_name := 'pgq.maint_rotate_tables_step2';
        func_arg := null;
        return next;
    end if;

    return query
        select x.name, q.queue_name
          from pgq.queue q, unnest(q.queue_extra_maint) with ordinality x(name, n)
         order by q.queue_name, x.n;
    return query select 'vacuum'::text, v.name from pgq.maint_tables_to_vacuum() v(name);

    if to_regprocedure('pgq_node.maint_watermark(text)') is not null then
        return query
            select 'pgq_node.maint_watermark'::text, n.queue_name::text
              from pgq_node.node_info n where n.node_type = 'root' order by n.queue_name;
    end if;
    if to_regprocedure('londiste.root_check_seqs(text)') is not null then
        return query
            select distinct 'londiste.root_check_seqs'::text, s.queue_name::text
              from londiste.seq_info s
              join pgq_node.node_info n on n.queue_name = s.queue_name
             where s.local and n.node_type = 'root'
             order by 2;
    end if;
    if to_regprocedure('londiste.periodic_maintenance()') is not null then
        return query select 'londiste.periodic_maintenance'::text, null::text;
    end if;
end;
$$;
