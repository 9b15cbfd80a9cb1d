-- Undo one kaja.lock_ticks of this session. Returns false, with the server's WARNING, if it does not hold the lock.
create or replace function kaja.unlock_ticks(i_queue text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    return (select pg_advisory_unlock(1801546337, q.queue_id) from pgq.queue q where q.queue_name = i_queue);
end;
$$;
