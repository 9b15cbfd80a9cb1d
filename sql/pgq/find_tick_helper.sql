-- Tick that ends a batch of a wanted size, or nulls while there is none.
-- i_min_count: at least so many events by the event sequence; i_min_interval: or at least so much time; null: not asked.
-- The newest tick is taken unless that would be more than twice as much as asked; then the first one that is enough.
create or replace function pgq.find_tick_helper(
    i_queue_id int, i_prev_tick_id bigint, i_prev_tick_time timestamptz, i_prev_tick_seq bigint,
    i_min_count bigint, i_min_interval interval,
    out next_tick_id bigint, out next_tick_time timestamptz, out next_tick_seq bigint)
language plpgsql stable as $$
declare
    v_newest   record;
    v_count    bigint;
    v_interval interval;
begin
    select t.tick_id, t.tick_time, t.tick_event_seq into v_newest
      from pgq.tick t
     where t.tick_queue = i_queue_id and t.tick_id > i_prev_tick_id
     order by t.tick_id desc limit 1;
    if not found then
        return;
    end if;
    v_count := v_newest.tick_event_seq - i_prev_tick_seq;
    v_interval := v_newest.tick_time - i_prev_tick_time;

    if v_count > 2 * i_min_count or v_interval > 2 * i_min_interval then
        select t.tick_id, t.tick_time, t.tick_event_seq into next_tick_id, next_tick_time, next_tick_seq
          from pgq.tick t
         where t.tick_queue = i_queue_id and t.tick_id > i_prev_tick_id
           and (t.tick_event_seq - i_prev_tick_seq >= i_min_count or t.tick_time - i_prev_tick_time >= i_min_interval)
         order by t.tick_id limit 1;
    elsif v_count >= i_min_count or v_interval >= i_min_interval then
        next_tick_id := v_newest.tick_id;
        next_tick_time := v_newest.tick_time;
        next_tick_seq := v_newest.tick_event_seq;
    end if;
end;
$$;
