-- Event tables that hold the events of an open batch. Error: Cannot find data for batch <id>.
create or replace function pgq.batch_event_tables(x_batch_id bigint) returns setof text
language plpgsql as $$
declare
    v_batch record;
begin
    select s.sub_queue, p.tick_snapshot as from_snapshot, n.tick_snapshot as to_snapshot into v_batch
      from pgq.subscription s
      join pgq.tick p on p.tick_queue = s.sub_queue and p.tick_id = s.sub_last_tick
      join pgq.tick n on n.tick_queue = s.sub_queue and n.tick_id = s.sub_next_tick
     where s.sub_batch = x_batch_id;
    if not found then
        raise exception 'Cannot find data for batch %', x_batch_id;
    end if;
    return query select kaja.queue_event_tables(v_batch.sub_queue, v_batch.from_snapshot, v_batch.to_snapshot);
end;
$$;
