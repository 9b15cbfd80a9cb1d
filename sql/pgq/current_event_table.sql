-- Name of the table that takes a queue's events, valid for the current transaction only.
-- Errors: Event queue not found; Writing to queue disabled.
create or replace function pgq.current_event_table(x_queue_name text) returns text
language plpgsql as $$
declare
    v_queue record;
begin
    select q.queue_data_pfx, q.queue_cur_table, q.queue_disable_insert into v_queue
      from pgq.queue q where q.queue_name = x_queue_name;
    if not found then
        raise exception 'Event queue not found';
    end if;
    if v_queue.queue_disable_insert and current_setting('session_replication_role') <> 'replica' then
        raise exception 'Writing to queue disabled';
    end if;
    return v_queue.queue_data_pfx || '_' || v_queue.queue_cur_table;
end;
$$;
