-- How far a batch that starts at a tick may reach: the last tick within the limits of kaja.next_batch, nulls if there is none.
-- i_from_seq: event sequence at i_from. Reads as many ticks as the batch has, however many wait behind them.
create or replace function kaja.reach_tick(
    i_queue_id int, i_from bigint, i_from_seq bigint, i_max_events bigint, i_max_ticks int, i_max_tick bigint,
    out tick_id bigint, out tick_time timestamptz, out tick_event_seq bigint)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    v_tick record;
    v_n    int := 0;
begin
    if i_max_events is null and i_max_ticks is null then
        select t.tick_id, t.tick_time, t.tick_event_seq into tick_id, tick_time, tick_event_seq
          from pgq.tick t
         where t.tick_queue = i_queue_id and t.tick_id > i_from and (i_max_tick is null or t.tick_id <= i_max_tick)
         order by t.tick_id desc limit 1;
        return;
    end if;
    for v_tick in
        select t.tick_id, t.tick_time, t.tick_event_seq
          from pgq.tick t
         where t.tick_queue = i_queue_id and t.tick_id > i_from and (i_max_tick is null or t.tick_id <= i_max_tick)
         order by t.tick_id
    loop
        v_n := v_n + 1;
        exit when v_n > 1 and (v_n > i_max_ticks or v_tick.tick_event_seq - i_from_seq > i_max_events);
        tick_id := v_tick.tick_id;
        tick_time := v_tick.tick_time;
        tick_event_seq := v_tick.tick_event_seq;
    end loop;
end;
$$;

-- Open the consumer's next batch, reaching as far as the limits allow, or return the one that is open; all nulls if there is
-- nothing to open. Works on PgQ's tables, so pgq.finish_batch and the rest apply.
-- i_max_events: by the event sequence, but at least one tick; i_max_ticks: at most so many ticks; i_max_tick: not beyond this
-- tick. Null: no limit. Errors: as pgq.next_batch_custom. Locks the subscription row when it opens a batch.
create or replace function kaja.next_batch(
    i_queue text, i_consumer text, i_max_events bigint, i_max_ticks int, i_max_tick bigint,
    out batch_id bigint, out cur_tick_id bigint, out prev_tick_id bigint,
    out cur_tick_time timestamptz, out prev_tick_time timestamptz,
    out cur_tick_event_seq bigint, out prev_tick_event_seq bigint)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_sub    record;
    v_next   record;
    v_locked record;
begin
    loop
        select s.sub_queue, s.sub_consumer, s.sub_batch, s.sub_last_tick, s.sub_next_tick,
               p.tick_time as prev_time, p.tick_event_seq as prev_seq, n.tick_time as next_time, n.tick_event_seq as next_seq
          into v_sub
          from pgq.subscription s
          join pgq.queue q on q.queue_id = s.sub_queue
          join pgq.consumer c on c.co_id = s.sub_consumer
          left join pgq.tick p on p.tick_queue = s.sub_queue and p.tick_id = s.sub_last_tick
          left join pgq.tick n on n.tick_queue = s.sub_queue and n.tick_id = s.sub_next_tick
         where q.queue_name = i_queue and c.co_name = i_consumer;
        if not found then
            raise exception 'Not subscriber to queue: %/%', coalesce(i_queue, 'NULL'), coalesce(i_consumer, 'NULL');
        end if;
        if v_sub.prev_time is null then
            raise exception 'PgQ corruption: Consumer % on queue % does not see tick %',
                i_consumer, i_queue, v_sub.sub_last_tick;
        end if;

        if v_sub.sub_batch is not null then
            batch_id := v_sub.sub_batch;
            cur_tick_id := v_sub.sub_next_tick;
            cur_tick_time := v_sub.next_time;
            cur_tick_event_seq := v_sub.next_seq;
            exit;
        end if;

        select r.tick_id as id, r.tick_time as at, r.tick_event_seq as seq into v_next
          from kaja.reach_tick(v_sub.sub_queue, v_sub.sub_last_tick, v_sub.prev_seq, i_max_events, i_max_ticks, i_max_tick) r;
        if v_next.id is null then
            return;
        end if;

        -- Only now, so that polling for a batch writes nothing.
        select s.sub_batch, s.sub_last_tick into v_locked
          from pgq.subscription s
         where s.sub_queue = v_sub.sub_queue and s.sub_consumer = v_sub.sub_consumer
           for update;
        continue when not found or v_locked.sub_batch is not null or v_locked.sub_last_tick <> v_sub.sub_last_tick;

        batch_id := nextval('pgq.batch_id_seq');
        cur_tick_id := v_next.id;
        cur_tick_time := v_next.at;
        cur_tick_event_seq := v_next.seq;
        update pgq.subscription s
           set sub_batch = next_batch.batch_id, sub_next_tick = v_next.id, sub_active = now()
         where s.sub_queue = v_sub.sub_queue and s.sub_consumer = v_sub.sub_consumer;
        exit;
    end loop;
    prev_tick_id := v_sub.sub_last_tick;
    prev_tick_time := v_sub.prev_time;
    prev_tick_event_seq := v_sub.prev_seq;
end;
$$;
