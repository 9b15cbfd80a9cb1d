-- Keep every other session from storing ticks of a queue until kaja.unlock_ticks (session-level; survives commit and rollback).
-- First half of kaja.tick_at_snapshot. Errors: Event queue not found; 25001 in a transaction with a snapshot of its own,
-- which would be older than the lock.
create or replace function kaja.lock_ticks(i_queue text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_queue_id int;
begin
    if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
        raise exception 'kaja.lock_ticks must be called before the REPEATABLE READ transaction begins'
            using errcode = 'active_sql_transaction';
    end if;
    select q.queue_id into v_queue_id from pgq.queue q where q.queue_name = i_queue;
    if not found then
        raise exception 'Event queue not found: %', i_queue;
    end if;
    perform pg_advisory_lock(1801546337, v_queue_id);
end;
$$;
