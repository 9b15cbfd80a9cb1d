-- Put events of an open batch into kaja.dead_letter: the consumer gives up on them.
-- i_event_ids, i_reasons: ids and why, element by element. Returns how many. A letter of the same event and consumer is
-- replaced. Error: batch not found.
create or replace function kaja.bury_events(i_batch_id bigint, i_event_ids bigint[], i_reasons text[]) returns int
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_count int;
begin
    if not exists (select 1 from pgq.subscription s where s.sub_batch = i_batch_id) then
        raise exception 'batch not found';
    end if;
    insert into kaja.dead_letter (queue_id, queue_name, consumer_name, reason, ev_id, ev_time, ev_retry, ev_type, ev_data,
                                  ev_extra1, ev_extra2, ev_extra3, ev_extra4)
    select distinct on (e.ev_id) q.queue_id, q.queue_name, c.co_name, r.reason, e.ev_id, e.ev_time, e.ev_retry, e.ev_type, e.ev_data,
           e.ev_extra1, e.ev_extra2, e.ev_extra3, e.ev_extra4
      from pgq.get_batch_events(i_batch_id) e
      join rows from (unnest(i_event_ids), unnest(i_reasons)) r(id, reason) on r.id = e.ev_id
      join pgq.subscription s on s.sub_batch = i_batch_id
      join pgq.queue q on q.queue_id = s.sub_queue
      -- Of workers that share batches (pgq_coop) the main consumer: their names are longer.
      join lateral (select m.co_name
                      from pgq.subscription ms join pgq.consumer m on m.co_id = ms.sub_consumer
                     where ms.sub_queue = s.sub_queue and ms.sub_id = s.sub_id
                     order by length(m.co_name) limit 1) c on true
     order by e.ev_id
        on conflict (queue_id, consumer_name, ev_id) do update
           set dead_time = now(), reason = excluded.reason, ev_retry = excluded.ev_retry;
    get diagnostics v_count = row_count;
    return v_count;
end;
$$;
