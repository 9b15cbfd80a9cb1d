-- Give a queue's tables the rights of pgq.event_template and open its sequences for reading. Always 1.
-- Error: Queue not found.
create or replace function pgq.grant_perms(x_queue_name text) returns int
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_queue record;
    v_table text;
    v_dot   int;
begin
    select q.queue_ntables, q.queue_data_pfx, q.queue_tick_seq, q.queue_event_seq into v_queue
      from pgq.queue q where q.queue_name = x_queue_name;
    if not found then
        raise exception 'Queue not found';
    end if;
    execute format('grant select on %s, %s to public',
                   pgq.quote_fqname(v_queue.queue_tick_seq), pgq.quote_fqname(v_queue.queue_event_seq));
    if exists (select 1 from pg_roles r where r.rolname = 'pgq_admin') then
        execute format('grant usage on %s to pgq_admin', pgq.quote_fqname(v_queue.queue_event_seq));
    end if;
    foreach v_table in array v_queue.queue_data_pfx ||
        array(select v_queue.queue_data_pfx || '_' || n from generate_series(0, v_queue.queue_ntables - 1) n)
    loop
        v_dot := position('.' in v_table);
        perform pgq._grant_perms_from('pgq', 'event_template', left(v_table, v_dot - 1), substr(v_table, v_dot + 1));
    end loop;
    return 1;
end;
$$;
