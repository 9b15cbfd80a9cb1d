-- Remove a worker. i_batch_handling: what to do if it has a batch: 0 = error, 1 = close it, its events are done.
-- Returns 1; 0 if there is no such worker. Errors: subconsumer has active batch; the name belongs to an ordinary consumer.
-- The main consumer stays: pgq.unregister_consumer removes it together with its workers.
create or replace function pgq_coop.unregister_subconsumer(
    i_queue_name text, i_consumer_name text, i_subconsumer_name text, i_batch_handling integer) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_worker record;
begin
    if not pgq_coop._lock_main(i_queue_name, i_consumer_name, false) then
        return 0;
    end if;
    select * into v_worker from pgq_coop._subconsumer(i_queue_name, i_consumer_name, i_subconsumer_name);
    if v_worker.sub_co_id is null then
        return 0;
    end if;
    if v_worker.sub_batch is not null and i_batch_handling is distinct from 1 then
        raise exception 'subconsumer has active batch';
    end if;
    perform pgq_coop._forget(v_worker.queue_id, v_worker.sub_co_id);
    return 1;
end;
$$;

-- Delete a worker's row, and its name unless it is used on another queue.
create or replace function pgq_coop._forget(i_queue_id int, i_co_id int) returns void
language plpgsql as $$
begin
    delete from pgq.subscription s where s.sub_queue = i_queue_id and s.sub_consumer = i_co_id;
    -- Locked first: a registration of this name elsewhere holds the row, and then it is in use.
    perform 1 from pgq.consumer c where c.co_id = i_co_id for update;
    delete from pgq.consumer c
     where c.co_id = i_co_id and not exists (select 1 from pgq.subscription s where s.sub_consumer = i_co_id);
end;
$$;
