-- Note a batch as the last one the consumer has done. Call it in the transaction that does the batch's work.
-- Returns false if it was noted before (also by a session that was quicker: the second one waits). A batch id that is null or not
-- positive is not noted, and true.
create or replace function pgq_ext.set_batch_done(a_consumer text, a_subconsumer text, a_batch_id bigint) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if a_batch_id is null or a_batch_id <= 0 then
        return true;
    end if;
    insert into pgq_ext.completed_batch as b (consumer_id, subconsumer_id, last_batch_id)
    values (a_consumer, a_subconsumer, a_batch_id)
        on conflict (consumer_id, subconsumer_id) do update
           set last_batch_id = excluded.last_batch_id
         where b.last_batch_id <> excluded.last_batch_id;
    return found;
end;
$$;

create or replace function pgq_ext.set_batch_done(a_consumer text, a_batch_id bigint) returns boolean
language plpgsql as $$
begin
    return pgq_ext.set_batch_done(a_consumer, '', a_batch_id);
end;
$$;
