-- Delete dead letters for good, also of queues and consumers that no longer exist.
-- i_consumer: null for every consumer of the queue. i_dead_ids: null for all. Returns how many.
create or replace function kaja.delete_dead_letters(i_queue text, i_consumer text, i_dead_ids bigint[]) returns int
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_count int;
begin
    delete from kaja.dead_letter l
     where l.queue_name = i_queue and l.consumer_name = coalesce(i_consumer, l.consumer_name)
       and (i_dead_ids is null or l.dead_id = any (i_dead_ids));
    get diagnostics v_count = row_count;
    return v_count;
end;
$$;
