-- Drop a queue with its tables, sequences and ticks. Always 1.
-- x_force: unregister its consumers first. Errors: No such event queue; cannot drop queue, consumers still attached.
-- Locks: tick lock (a ticker that waits for the queue row must not hold the sequences), queue row, then ACCESS EXCLUSIVE on
-- the queue's tables, which waits for every transaction that touched them.
create or replace function pgq.drop_queue(x_queue_name text, x_force boolean) returns int
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_queue record;
begin
    perform pgq._tick_lock(q.queue_id) from pgq.queue q where q.queue_name = x_queue_name;
    select q.queue_id, q.queue_ntables, q.queue_data_pfx, q.queue_tick_seq, q.queue_event_seq into v_queue
      from pgq.queue q where q.queue_name = x_queue_name for update;
    if not found then
        raise exception 'No such event queue';
    end if;

    if x_force then
        perform pgq.unregister_consumer(c.queue_name, c.consumer_name) from pgq.get_consumer_info(x_queue_name) c;
    elsif exists (select 1 from pgq.subscription s where s.sub_queue = v_queue.queue_id) then
        raise exception 'cannot drop queue, consumers still attached';
    end if;

    for n in 0 .. v_queue.queue_ntables - 1 loop
        execute format('drop table %s', pgq.quote_fqname(v_queue.queue_data_pfx || '_' || n));
    end loop;
    execute format('drop table %s', pgq.quote_fqname(v_queue.queue_data_pfx));
    delete from pgq.tick t where t.tick_queue = v_queue.queue_id;
    execute format('drop sequence %s', pgq.quote_fqname(v_queue.queue_tick_seq));
    execute format('drop sequence %s', pgq.quote_fqname(v_queue.queue_event_seq));
    delete from pgq.queue q where q.queue_id = v_queue.queue_id;
    return 1;
end;
$$;

create or replace function pgq.drop_queue(x_queue_name text) returns int
language plpgsql strict as $$
begin
    return pgq.drop_queue(x_queue_name, false);
end;
$$;
