-- Register a consumer at a tick, or move one that is registered.
-- x_tick_pos: tick to stand at; null for the newest, and for leaving a registered one where it is.
-- Returns 1 if new, 0 if it was registered (also when another session registers it at the same time).
-- Errors: Event queue not created yet; cannot reposition, tick not found: <pos>; No ticks for this queue.
-- Locks the queue row against rotation, which must not remove the tick or its events meanwhile; then the consumer row.
create or replace function pgq.register_consumer_at(x_queue_name text, x_consumer_name text, x_tick_pos bigint) returns int
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_queue_id    int;
    v_consumer_id int;
    v_tick        bigint;
begin
    select q.queue_id into v_queue_id from pgq.queue q where q.queue_name = x_queue_name for key share;
    if not found then
        raise exception 'Event queue not created yet';
    end if;

    loop
        select c.co_id into v_consumer_id from pgq.consumer c where c.co_name = x_consumer_name for update;
        exit when found;
        insert into pgq.consumer (co_name) values (x_consumer_name)
            on conflict (co_name) do nothing returning co_id into v_consumer_id;
        exit when found;
    end loop;

    if x_tick_pos is not null
       and not exists (select 1 from pgq.tick t where t.tick_queue = v_queue_id and t.tick_id = x_tick_pos) then
        raise exception 'cannot reposition, tick not found: %', x_tick_pos;
    end if;

    if exists (select 1 from pgq.subscription s where s.sub_queue = v_queue_id and s.sub_consumer = v_consumer_id) then
        if x_tick_pos is not null then
            update pgq.subscription s
               set sub_last_tick = x_tick_pos, sub_batch = null, sub_next_tick = null, sub_active = now()
             where s.sub_queue = v_queue_id and s.sub_consumer = v_consumer_id;
        end if;
        return 0;
    end if;

    v_tick := x_tick_pos;
    if v_tick is null then
        select max(t.tick_id) into v_tick from pgq.tick t where t.tick_queue = v_queue_id;
        if v_tick is null then
            raise exception 'No ticks for this queue.  Please run ticker on database.';
        end if;
    end if;
    insert into pgq.subscription (sub_queue, sub_consumer, sub_last_tick) values (v_queue_id, v_consumer_id, v_tick);
    return 1;
end;
$$;
