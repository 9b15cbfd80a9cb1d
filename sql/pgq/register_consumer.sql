-- Register a consumer at the queue's newest tick. Returns 1, or 0 if it is registered. Errors: see register_consumer_at.
create or replace function pgq.register_consumer(x_queue_name text, x_consumer_id text) returns int
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    return pgq.register_consumer_at(x_queue_name, x_consumer_id, null);
end;
$$;
