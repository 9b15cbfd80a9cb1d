-- Make the ticker tick soon by moving the event sequence beyond queue_ticker_max_count. Returns the newest tick id that
-- exists now (wait until a higher one appears), null for an unknown queue. Nothing moves on external and paused queues.
create or replace function pgq.force_tick(i_queue_name text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_queue record;
begin
    select q.queue_id, q.queue_event_seq, q.queue_ticker_max_count, q.queue_external_ticker or q.queue_ticker_paused as idle
      into v_queue
      from pgq.queue q where q.queue_name = i_queue_name;
    if not found then
        return null;
    end if;
    if not v_queue.idle then
        perform setval(v_queue.queue_event_seq::regclass,
                       nextval(v_queue.queue_event_seq::regclass) + 2 * v_queue.queue_ticker_max_count + 1000);
    end if;
    return (select max(t.tick_id) from pgq.tick t where t.tick_queue = v_queue.queue_id);
end;
$$;
