-- Remove a consumer from a queue, with its retry events and, if this was its last queue, its name.
-- Returns the number of subscriptions removed; 0 if there is none. A cooperative sub-consumer goes alone, a main consumer
-- takes its sub-consumers along. Locks the subscription and consumer rows.
create or replace function pgq.unregister_consumer(x_queue_name text, x_consumer_name text) returns int
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_sub   record;
    v_count int;
begin
    select s.sub_id, s.sub_queue, s.sub_consumer, (s.sub_last_tick is null) = (s.sub_next_tick is null) as is_sub into v_sub
      from pgq.subscription s
      join pgq.queue q on q.queue_id = s.sub_queue
      join pgq.consumer c on c.co_id = s.sub_consumer
     where q.queue_name = x_queue_name and c.co_name = x_consumer_name
       for update of s, c;
    if not found then
        return 0;
    end if;

    select count(*) into v_count from pgq.subscription s where s.sub_id = v_sub.sub_id;
    if v_count > 1 and v_sub.is_sub then
        delete from pgq.subscription s where s.sub_queue = v_sub.sub_queue and s.sub_consumer = v_sub.sub_consumer;
        return 1;
    end if;

    delete from pgq.retry_queue r where r.ev_owner = v_sub.sub_id;
    delete from pgq.subscription s where s.sub_id = v_sub.sub_id;
    get diagnostics v_count = row_count;
    if not exists (select 1 from pgq.subscription s where s.sub_consumer = v_sub.sub_consumer) then
        delete from pgq.consumer c where c.co_id = v_sub.sub_consumer;
    end if;
    return v_count;
end;
$$;
