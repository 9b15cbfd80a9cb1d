-- Deliver every event of an open batch again after a number of seconds. Returns how many were queued; those that wait
-- already are not counted. Error: batch_retry: batch <id> not found.
create or replace function pgq.batch_retry(i_batch_id bigint, i_retry_seconds int) returns int
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_batch record;
    v_count int;
begin
    select s.sub_id, s.sub_queue into v_batch from pgq.subscription s where s.sub_batch = i_batch_id;
    if not found then
        raise exception 'batch_retry: batch % not found', i_batch_id;
    end if;
    insert into pgq.retry_queue (ev_retry_after, ev_queue, ev_id, ev_time, ev_owner, ev_retry, ev_type, ev_data,
                                 ev_extra1, ev_extra2, ev_extra3, ev_extra4)
    select current_timestamp + make_interval(secs => i_retry_seconds), v_batch.sub_queue, e.ev_id, e.ev_time, v_batch.sub_id,
           coalesce(e.ev_retry, 0) + 1, e.ev_type, e.ev_data, e.ev_extra1, e.ev_extra2, e.ev_extra3, e.ev_extra4
      from pgq.get_batch_events(i_batch_id) e
        on conflict (ev_owner, ev_id) do nothing;
    get diagnostics v_count = row_count;
    return v_count;
end;
$$;
