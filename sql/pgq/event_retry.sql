-- Deliver one event of an open batch again, to this consumer only, after a time or a number of seconds.
-- Returns 1; 0 if the event waits already (its time stays). Error: event not found (also for an unknown batch).
create or replace function pgq.event_retry(x_batch_id bigint, x_event_id bigint, x_retry_time timestamptz) returns int
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_batch record;
    v_event record;
begin
    select s.sub_id, s.sub_queue into v_batch from pgq.subscription s where s.sub_batch = x_batch_id;
    if not found then
        raise exception 'event not found';
    end if;
    execute pgq._batch_sql(x_batch_id, format('ev_id = %L', x_event_id)) into v_event;
    if v_event.ev_id is null then
        raise exception 'event not found';
    end if;
    insert into pgq.retry_queue (ev_retry_after, ev_queue, ev_id, ev_time, ev_owner, ev_retry, ev_type, ev_data,
                                 ev_extra1, ev_extra2, ev_extra3, ev_extra4)
    values (x_retry_time, v_batch.sub_queue, v_event.ev_id, v_event.ev_time, v_batch.sub_id, coalesce(v_event.ev_retry, 0) + 1,
            v_event.ev_type, v_event.ev_data, v_event.ev_extra1, v_event.ev_extra2, v_event.ev_extra3, v_event.ev_extra4)
        on conflict (ev_owner, ev_id) do nothing;
    return case when found then 1 else 0 end;
end;
$$;

create or replace function pgq.event_retry(x_batch_id bigint, x_event_id bigint, x_retry_seconds int) returns int
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    return pgq.event_retry(x_batch_id, x_event_id, current_timestamp + make_interval(secs => x_retry_seconds));
end;
$$;
