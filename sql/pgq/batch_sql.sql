-- As pgq.batch_event_sql, with a raw SQL condition over the ten columns (null: none). Error: batch not found.
create or replace function pgq._batch_sql(i_batch_id bigint, i_where text) returns text
language plpgsql as $$
declare
    v_batch record;
begin
    select q.queue_name, s.sub_last_tick, s.sub_next_tick, s.sub_id into v_batch
      from pgq.subscription s
      join pgq.queue q on q.queue_id = s.sub_queue
     where s.sub_batch = i_batch_id;
    if not found then
        raise exception 'batch not found';
    end if;
    return kaja.event_range_sql(v_batch.queue_name, v_batch.sub_last_tick, v_batch.sub_next_tick, v_batch.sub_id, i_where);
end;
$$;
