-- Deliver dead letters again to the consumer that gave up on them, with the count of its attempts at zero.
-- i_consumer: null for every consumer of the queue. i_dead_ids: null for all. Returns how many went back; they come with the
-- next round of the retry queue. Errors: No such queue; consumer not registered (nothing is replayed then).
create or replace function kaja.replay_dead_letters(i_queue text, i_consumer text, i_dead_ids bigint[]) returns int
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_queue_id int;
    v_consumer text;
    v_count    int;
begin
    select q.queue_id into v_queue_id from pgq.queue q where q.queue_name = i_queue;
    if not found then
        raise exception 'No such queue';
    end if;
    select l.consumer_name into v_consumer
      from kaja.dead_letter l
     where l.queue_id = v_queue_id and l.consumer_name = coalesce(i_consumer, l.consumer_name)
       and (i_dead_ids is null or l.dead_id = any (i_dead_ids))
       and not exists (select 1 from pgq.subscription s join pgq.consumer c on c.co_id = s.sub_consumer
                        where s.sub_queue = v_queue_id and c.co_name = l.consumer_name)
     limit 1;
    if found then
        raise exception 'consumer not registered: %', v_consumer
            using hint = 'register it, or delete the letters';
    end if;

    with gone as (
        delete from kaja.dead_letter l
         where l.queue_id = v_queue_id and l.consumer_name = coalesce(i_consumer, l.consumer_name)
           and (i_dead_ids is null or l.dead_id = any (i_dead_ids))
        returning l.*
    ), back as (
        insert into pgq.retry_queue (ev_retry_after, ev_queue, ev_id, ev_time, ev_owner, ev_retry, ev_type, ev_data,
                                     ev_extra1, ev_extra2, ev_extra3, ev_extra4)
        select now(), v_queue_id, g.ev_id, g.ev_time, s.sub_id, null, g.ev_type, g.ev_data,
               g.ev_extra1, g.ev_extra2, g.ev_extra3, g.ev_extra4
          from gone g
          join pgq.consumer c on c.co_name = g.consumer_name
          join pgq.subscription s on s.sub_consumer = c.co_id and s.sub_queue = v_queue_id
         order by g.ev_id
            on conflict (ev_owner, ev_id) do nothing
    )
    select count(*) into v_count from gone;
    return v_count;
end;
$$;
