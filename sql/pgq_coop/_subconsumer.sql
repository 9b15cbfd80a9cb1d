-- What pgq_coop knows of a sub-consumer and its main consumer; all nulls if the main consumer is not registered, only sub_* are null
-- if the sub-consumer is not. A name may also belong to an ordinary consumer, whose position would be lost here.
-- Error: consumer "<c>.<s>" is registered, but not as subconsumer of "<c>".
create or replace function pgq_coop._subconsumer(
    i_queue_name text, i_consumer_name text, i_subconsumer_name text,
    out queue_id int, out sub_id int, out main_co_id int, out main_last_tick bigint, out main_next_tick bigint,
    out sub_co_id int, out sub_batch bigint, out sub_active timestamptz)
language plpgsql as $$
declare
    v_own_id int;
begin
    select q.queue_id, m.sub_id, m.sub_consumer, m.sub_last_tick, m.sub_next_tick
      into queue_id, sub_id, main_co_id, main_last_tick, main_next_tick
      from pgq.queue q
      join pgq.subscription m on m.sub_queue = q.queue_id
      join pgq.consumer c on c.co_id = m.sub_consumer
     where q.queue_name = i_queue_name and c.co_name = i_consumer_name;
    select s.sub_id, s.sub_consumer, s.sub_batch, s.sub_active into v_own_id, sub_co_id, sub_batch, sub_active
      from pgq.queue q
      join pgq.subscription s on s.sub_queue = q.queue_id
      join pgq.consumer c on c.co_id = s.sub_consumer
     where q.queue_name = i_queue_name and c.co_name = i_consumer_name || '.' || i_subconsumer_name;
    if v_own_id is distinct from sub_id and v_own_id is not null then
        raise exception 'consumer "%.%" is registered, but not as subconsumer of "%"',
            i_consumer_name, i_subconsumer_name, i_consumer_name;
    end if;
end;
$$;
