-- Open the consumer's next batch, or return the one that is open; all nulls if there is nothing to open.
-- i_min_lag: take only a tick at least so old. i_min_count, i_min_interval: see pgq.find_tick_helper; both null: one tick.
-- Errors: Not subscriber to queue; PgQ corruption (the consumer's last tick is gone).
-- Locks the subscription row when it opens a batch: a second worker waits and gets the same batch.
create or replace function pgq.next_batch_custom(
    i_queue_name text, i_consumer_name text, i_min_lag interval, i_min_count int, i_min_interval interval,
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
         where q.queue_name = i_queue_name and c.co_name = i_consumer_name;
        if not found then
            raise exception 'Not subscriber to queue: %/%',
                coalesce(i_queue_name, 'NULL'), coalesce(i_consumer_name, 'NULL');
        end if;
        if v_sub.prev_time is null then
            raise exception 'PgQ corruption: Consumer % on queue % does not see tick <NULL>', i_consumer_name, i_queue_name;
        end if;

        if v_sub.sub_batch is not null then
            batch_id := v_sub.sub_batch;
            cur_tick_id := v_sub.sub_next_tick;
            cur_tick_time := v_sub.next_time;
            cur_tick_event_seq := v_sub.next_seq;
            exit;
        end if;

        if i_min_count is null and i_min_interval is null then
            select t.tick_id as id, t.tick_time as at, t.tick_event_seq as seq into v_next
              from pgq.tick t
             where t.tick_queue = v_sub.sub_queue and t.tick_id > v_sub.sub_last_tick
             order by t.tick_id limit 1;
        else
            select f.next_tick_id as id, f.next_tick_time as at, f.next_tick_seq as seq into v_next
              from pgq.find_tick_helper(v_sub.sub_queue, v_sub.sub_last_tick, v_sub.prev_time, v_sub.prev_seq,
                                        i_min_count, i_min_interval) f;
        end if;
        if v_next.id is null or now() - v_next.at < i_min_lag then
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
           set sub_batch = next_batch_custom.batch_id, sub_next_tick = v_next.id, sub_active = now()
         where s.sub_queue = v_sub.sub_queue and s.sub_consumer = v_sub.sub_consumer;
        exit;
    end loop;
    prev_tick_id := v_sub.sub_last_tick;
    prev_tick_time := v_sub.prev_time;
    prev_tick_event_seq := v_sub.prev_seq;
end;
$$;
