-- Deliver events of an open batch again, to this consumer only: as pgq.event_retry for each, but the batch is read once.
-- i_event_ids, i_delays: ids and seconds from now, element by element. Returns how many were queued; events that wait
-- already keep their time. Error: batch not found.
create or replace function kaja.retry_events(i_batch_id bigint, i_event_ids bigint[], i_delays float8[]) returns int
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_count int;
begin
    if not exists (select 1 from pgq.subscription s where s.sub_batch = i_batch_id) then
        raise exception 'batch not found';
    end if;
    insert into pgq.retry_queue (ev_retry_after, ev_queue, ev_id, ev_time, ev_owner, ev_retry, ev_type, ev_data,
                                 ev_extra1, ev_extra2, ev_extra3, ev_extra4)
    select now() + make_interval(secs => r.delay), s.sub_queue, e.ev_id, e.ev_time, s.sub_id, coalesce(e.ev_retry, 0) + 1,
           e.ev_type, e.ev_data, e.ev_extra1, e.ev_extra2, e.ev_extra3, e.ev_extra4
      from pgq.get_batch_events(i_batch_id) e
      join rows from (unnest(i_event_ids), unnest(i_delays)) r(id, delay) on r.id = e.ev_id
      join pgq.subscription s on s.sub_batch = i_batch_id
        on conflict (ev_owner, ev_id) do nothing;
    get diagnostics v_count = row_count;
    return v_count;
end;
$$;
