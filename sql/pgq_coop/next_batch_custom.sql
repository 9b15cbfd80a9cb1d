-- The worker's open batch; or that of a worker which is dead; or the main consumer's next batch, which becomes the worker's.
-- Null if there is nothing to do. A worker that is not registered gets registered.
-- i_min_lag, i_min_count, i_min_interval: as in pgq.next_batch_custom. i_dead_interval: workers that have not asked or finished for so
-- long count as dead and lose registration and batch; null: nobody does.
-- Errors: as pgq.register_consumer; main consumer has batch open?; the name belongs to an ordinary consumer.
-- Locks the main consumer's row once there is work, so that each batch goes to one worker; polling writes nothing but, twice in a
-- dead interval, a sign of life.
create or replace function pgq_coop.next_batch_custom(
    i_queue_name text, i_consumer_name text, i_subconsumer_name text,
    i_min_lag interval, i_min_count integer, i_min_interval interval, i_dead_interval interval) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_worker record;
    v_next   record;
begin
    select * into v_worker from pgq_coop._subconsumer(i_queue_name, i_consumer_name, i_subconsumer_name);
    if v_worker.sub_co_id is not null and v_worker.sub_batch is null and v_worker.main_next_tick is null
       and not exists (select 1 from pgq.tick t
                        where t.tick_queue = v_worker.queue_id and t.tick_id > v_worker.main_last_tick)
       and (i_dead_interval is null
            or not exists (select 1 from pgq.subscription s
                            where s.sub_queue = v_worker.queue_id and s.sub_id = v_worker.sub_id
                              and s.sub_consumer not in (v_worker.main_co_id, v_worker.sub_co_id)
                              and s.sub_active < now() - i_dead_interval)) then
        if v_worker.sub_active < now() - i_dead_interval / 2 then
            update pgq.subscription s set sub_active = now()
             where s.sub_queue = v_worker.queue_id and s.sub_consumer = v_worker.sub_co_id;
        end if;
        return null;
    end if;

    -- From here on workers go one by one; but one of them may finish its batch at any time.
    perform pgq_coop._lock_main(i_queue_name, i_consumer_name, true);
    select * into v_worker from pgq_coop._subconsumer(i_queue_name, i_consumer_name, i_subconsumer_name);
    if v_worker.sub_co_id is null then
        perform pgq_coop.register_subconsumer(i_queue_name, i_consumer_name, i_subconsumer_name);
        select * into v_worker from pgq_coop._subconsumer(i_queue_name, i_consumer_name, i_subconsumer_name);
    end if;
    if v_worker.main_next_tick is not null then
        raise exception 'main consumer has batch open?';
    end if;

    if v_worker.sub_batch is not null then
        update pgq.subscription s set sub_active = now()
         where s.sub_queue = v_worker.queue_id and s.sub_consumer = v_worker.sub_co_id
           and s.sub_batch = v_worker.sub_batch;
        if found then
            return v_worker.sub_batch;
        end if;
    end if;

    if i_dead_interval is not null then
        -- Locked, and looked at again if that had to wait: a worker that finishes just now is alive.
        select s.sub_consumer, s.sub_batch, s.sub_last_tick, s.sub_next_tick into v_next
          from pgq.subscription s
         where s.sub_queue = v_worker.queue_id and s.sub_id = v_worker.sub_id
           and s.sub_consumer not in (v_worker.main_co_id, v_worker.sub_co_id)
           and s.sub_active < now() - i_dead_interval
         order by s.sub_batch nulls last limit 1
           for update skip locked;
        if found then
            perform pgq_coop._forget(v_worker.queue_id, v_next.sub_consumer);
            if v_next.sub_batch is not null then
                return pgq_coop._take(v_worker.queue_id, v_worker.sub_co_id, v_next.sub_batch,
                                      v_next.sub_last_tick, v_next.sub_next_tick);
            end if;
        end if;
    end if;

    select b.batch_id, b.prev_tick_id, b.cur_tick_id into v_next
      from pgq.next_batch_custom(i_queue_name, i_consumer_name, i_min_lag, i_min_count, i_min_interval) b;
    if v_next.batch_id is null then
        return null;
    end if;
    perform pgq.finish_batch(v_next.batch_id);
    return pgq_coop._take(v_worker.queue_id, v_worker.sub_co_id, v_next.batch_id, v_next.prev_tick_id, v_next.cur_tick_id);
end;
$$;

create or replace function pgq_coop.next_batch_custom(
    i_queue_name text, i_consumer_name text, i_subconsumer_name text,
    i_min_lag interval, i_min_count integer, i_min_interval interval) returns bigint
language plpgsql as $$
begin
    return pgq_coop.next_batch_custom(i_queue_name, i_consumer_name, i_subconsumer_name,
                                      i_min_lag, i_min_count, i_min_interval, null);
end;
$$;

-- Put a batch into a worker's row; returns its id. Error, so that the batch stays where it was: subconsumer not found.
create or replace function pgq_coop._take(i_queue_id int, i_co_id int, i_batch_id bigint, i_from bigint, i_to bigint)
returns bigint
language plpgsql as $$
begin
    update pgq.subscription s
       set sub_batch = i_batch_id, sub_last_tick = i_from, sub_next_tick = i_to, sub_active = now()
     where s.sub_queue = i_queue_id and s.sub_consumer = i_co_id;
    if not found then
        raise exception 'subconsumer not found';
    end if;
    return i_batch_id;
end;
$$;
