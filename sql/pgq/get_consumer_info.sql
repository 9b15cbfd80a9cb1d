-- Positions of consumers, by queue and consumer. Arguments: null for all. pending_events is an estimate by the sequence.
create or replace function pgq.get_consumer_info(
    out queue_name text, out consumer_name text, out lag interval, out last_seen interval,
    out last_tick bigint, out current_batch bigint, out next_tick bigint, out pending_events bigint) returns setof record
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    return query select * from pgq.get_consumer_info(null, null);
end;
$$;

create or replace function pgq.get_consumer_info(
    i_queue_name text,
    out queue_name text, out consumer_name text, out lag interval, out last_seen interval,
    out last_tick bigint, out current_batch bigint, out next_tick bigint, out pending_events bigint) returns setof record
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    return query select * from pgq.get_consumer_info(i_queue_name, null);
end;
$$;

create or replace function pgq.get_consumer_info(
    i_queue_name text, i_consumer_name text,
    out queue_name text, out consumer_name text, out lag interval, out last_seen interval,
    out last_tick bigint, out current_batch bigint, out next_tick bigint, out pending_events bigint) returns setof record
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    return query
        select q.queue_name, c.co_name, now() - p.tick_time, now() - s.sub_active,
               s.sub_last_tick, s.sub_batch, s.sub_next_tick, l.tick_event_seq - p.tick_event_seq
          from pgq.subscription s
          join pgq.queue q on q.queue_id = s.sub_queue
          join pgq.consumer c on c.co_id = s.sub_consumer
          left join pgq.tick p on p.tick_queue = s.sub_queue and p.tick_id = s.sub_last_tick
          left join lateral (select t.tick_event_seq from pgq.tick t where t.tick_queue = s.sub_queue
                              order by t.tick_id desc limit 1) l on true
         where (i_queue_name is null or q.queue_name = i_queue_name)
           and (i_consumer_name is null or c.co_name = i_consumer_name)
         order by q.queue_name, c.co_name;
end;
$$;
