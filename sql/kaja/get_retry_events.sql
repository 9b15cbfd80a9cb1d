-- Events that wait to be delivered again, the next due first.
-- i_consumer: null for every consumer of the queue. Empty for an unknown queue.
create or replace function kaja.get_retry_events(
    i_queue text, i_consumer text,
    out consumer_name text, out retry_after timestamptz, out ev_id bigint, out ev_time timestamptz, out ev_retry int,
    out ev_type text, out ev_data text, out ev_extra1 text, out ev_extra2 text, out ev_extra3 text, out ev_extra4 text)
returns setof record
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select c.co_name, r.ev_retry_after, r.ev_id, r.ev_time, r.ev_retry, r.ev_type, r.ev_data,
           r.ev_extra1, r.ev_extra2, r.ev_extra3, r.ev_extra4
      from pgq.retry_queue r
      join pgq.queue q on q.queue_id = r.ev_queue
      -- Workers that share batches (pgq_coop) have one sub_id; the main consumer's name is the shortest.
      join lateral (select m.co_name
                      from pgq.subscription s join pgq.consumer m on m.co_id = s.sub_consumer
                     where s.sub_queue = r.ev_queue and s.sub_id = r.ev_owner
                     order by length(m.co_name) limit 1) c on true
     where q.queue_name = i_queue and (i_consumer is null or c.co_name = i_consumer)
     order by r.ev_retry_after, r.ev_id
$$;
