-- Insert an event into the queue's current table. Returns its id.
-- ev_id: null for the sequence's next value; the sequence moves in any case, or the ticker would not notice. ev_time: null
-- for now(). ev_owner: sub_id of the only subscription that shall see it, or null.
-- Errors: Queue name must not be NULL; No such queue; Insert into queue disallowed; Queue '<name>' allows max <n> events
-- from one TX.
create or replace function pgq.insert_event_raw(
    queue_name text, ev_id bigint, ev_time timestamptz, ev_owner int, ev_retry int,
    ev_type text, ev_data text, ev_extra1 text, ev_extra2 text, ev_extra3 text, ev_extra4 text) returns bigint
language plpgsql as $$
declare
    v_queue record;
    v_id    bigint;
    v_count int;
begin
    select q.queue_id, q.queue_data_pfx, q.queue_cur_table, nextval(q.queue_event_seq) as next_id,
           q.queue_disable_insert, q.queue_per_tx_limit
      into v_queue
      from pgq.queue q where q.queue_name = insert_event_raw.queue_name;
    if not found then
        if queue_name is null then
            raise exception 'Queue name must not be NULL' using errcode = 'XX000';
        end if;
        raise exception 'No such queue' using errcode = 'XX000';
    end if;
    if v_queue.queue_disable_insert and current_setting('session_replication_role') <> 'replica' then
        raise exception 'Insert into queue disallowed' using errcode = 'XX000';
    end if;
    if v_queue.queue_per_tx_limit >= 0 then
        v_count := coalesce(nullif(current_setting('kaja.tx_events_' || v_queue.queue_id, true), '')::int, 0) + 1;
        if v_count > v_queue.queue_per_tx_limit then
            raise exception 'Queue ''%'' allows max % events from one TX', queue_name, v_queue.queue_per_tx_limit using errcode = 'XX000';
        end if;
        perform set_config('kaja.tx_events_' || v_queue.queue_id, v_count::text, true);
    end if;

    v_id := coalesce(ev_id, v_queue.next_id);
    execute 'insert into ' || v_queue.queue_data_pfx || '_' || v_queue.queue_cur_table
         || ' (ev_id, ev_time, ev_owner, ev_retry, ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3, ev_extra4)'
            ' values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)'
      using v_id, coalesce(ev_time, now()), ev_owner, ev_retry, ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3, ev_extra4;
    return v_id;
end;
$$;
