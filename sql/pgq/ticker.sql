-- Store ticks. Every form takes the queue's tick lock first, then reads the newest tick and takes the snapshot.

-- Tick with id, time and event sequence from elsewhere (external ticker). Returns i_tick_id.
-- Errors: queue not found or ticker disabled; 23502 for a null; 23505 for an id that exists; 55000 if the tick would not follow the newest one.
create or replace function pgq.ticker(i_queue_name text, i_tick_id bigint, i_orig_timestamp timestamptz, i_event_seq bigint)
returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_queue record;
begin
    select q.queue_id, q.queue_tick_seq, q.queue_event_seq into v_queue
      from pgq.queue q
     where q.queue_name = i_queue_name and q.queue_external_ticker and not q.queue_ticker_paused;
    if not found then
        raise exception 'queue not found or ticker disabled: %', i_queue_name;
    end if;
    if i_tick_id is null or i_orig_timestamp is null then
        raise not_null_violation using message = format('null value in column "%s" of relation "tick" violates not-null constraint',
            case when i_tick_id is null then 'tick_id' else 'tick_time' end);
    end if;
    perform pgq._tick_lock(v_queue.queue_id);
    if kaja.queue_insert_tick(v_queue.queue_id, i_tick_id, i_orig_timestamp, i_event_seq) is null then
        raise exception 'tick % of queue % would not follow its newest tick', i_tick_id, i_queue_name
            using errcode = 'object_not_in_prerequisite_state',
                  hint = 'external ticks need increasing ids and READ COMMITTED isolation';
    end if;
    perform pgq.seq_setval(v_queue.queue_tick_seq, i_tick_id);
    perform pgq.seq_setval(v_queue.queue_event_seq, i_event_seq);
    return i_tick_id;
end;
$$;

-- Tick if the queue needs one: enough events, enough time, or idle long enough. Returns the tick id or null.
-- Null also when a tick would not follow the newest one (see kaja.queue_insert_tick).
-- Errors: no such queue; external tick source; paused; Invalid PgQ state (stored transaction ids are in the future).
create or replace function pgq.ticker(i_queue_name text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_queue  record;
    v_last   record;
    v_before timestamptz;
    v_seq    bigint;
    v_new    bigint;
    v_lag    interval;
    v_gap    interval;
begin
    select q.queue_id, q.queue_event_seq, q.queue_external_ticker, q.queue_ticker_paused,
           q.queue_ticker_max_count, q.queue_ticker_max_lag, q.queue_ticker_idle_period
      into v_queue
      from pgq.queue q where q.queue_name = i_queue_name;
    if not found then
        raise exception 'no such queue';
    end if;
    if v_queue.queue_external_ticker then
        raise exception 'This queue has external tick source.';
    end if;
    if v_queue.queue_ticker_paused then
        raise exception 'Ticker has been paused for this queue';
    end if;

    perform pgq._tick_lock(v_queue.queue_id);
    v_seq := kaja.queue_event_seq(v_queue.queue_event_seq);
    select t.tick_id, t.tick_time, t.tick_snapshot, t.tick_event_seq into v_last
      from pgq.tick t where t.tick_queue = v_queue.queue_id order by t.tick_id desc limit 1;
    if found then
        if txid_snapshot_xmin(v_last.tick_snapshot) > txid_current() then
            raise exception 'Invalid PgQ state: old xmin=%, old xmax=%, cur txid=%',
                txid_snapshot_xmin(v_last.tick_snapshot), txid_snapshot_xmax(v_last.tick_snapshot), txid_current();
        end if;
        v_new := v_seq - v_last.tick_event_seq;
        v_lag := now() - v_last.tick_time;
        if v_new < 0 then
            raise warning 'Negative new_events?  old=% cur=%', v_last.tick_event_seq, v_seq;
        end if;
        if txid_snapshot_xmax(v_last.tick_snapshot) > txid_current() then
            raise warning 'Dubious PgQ state: old xmax=%, cur txid=%',
                txid_snapshot_xmax(v_last.tick_snapshot), txid_current();
        end if;

        if v_new > 0 then
            if v_new < v_queue.queue_ticker_max_count and v_lag < v_queue.queue_ticker_max_lag then
                return null;
            end if;
        else
            -- Idle: each gap is about twice the one before, up to the idle period.
            select t.tick_time into v_before
              from pgq.tick t
             where t.tick_queue = v_queue.queue_id and t.tick_id < v_last.tick_id
             order by t.tick_id desc limit 1;
            if found then
                v_gap := v_last.tick_time - v_before;
                if v_lag < v_queue.queue_ticker_max_lag / 2
                   or (v_lag < v_gap * 2 and v_lag < v_queue.queue_ticker_idle_period) then
                    return null;
                end if;
            end if;
        end if;
    end if;
    return kaja.queue_insert_tick(v_queue.queue_id, null, null, v_seq);
end;
$$;

-- Tick every queue that needs it, except external and paused ones. Returns how many ticked.
create or replace function pgq.ticker() returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_name  text;
    v_count bigint := 0;
begin
    -- By name: two sessions take the tick locks in the same order.
    for v_name in
        select q.queue_name from pgq.queue q
         where not q.queue_external_ticker and not q.queue_ticker_paused
         order by q.queue_name
    loop
        if pgq.ticker(v_name) is not null then
            v_count := v_count + 1;
        end if;
    end loop;
    return v_count;
end;
$$;
