-- Note an event of the batch the consumer works on. Call it in the transaction that does the event's work.
-- Returns false if it was noted before (also by a session that was quicker: the second one waits). The first event of another batch
-- removes the notes of the batch before: that one is finished. Error: 23502 for a null.
create or replace function pgq_ext.set_event_done(a_consumer text, a_subconsumer text, a_batch_id bigint, a_event_id bigint)
returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_batch bigint;
begin
    if pgq_ext.is_event_done(a_consumer, a_subconsumer, a_batch_id, a_event_id) then
        return false;
    end if;

    loop
        select p.cur_batch_id into v_batch
          from pgq_ext.partial_batch p
         where p.consumer_id = a_consumer and p.subconsumer_id = a_subconsumer
           for update;
        exit when found;
        insert into pgq_ext.partial_batch (consumer_id, subconsumer_id, cur_batch_id)
        values (a_consumer, a_subconsumer, a_batch_id)
            on conflict (consumer_id, subconsumer_id) do nothing
        returning cur_batch_id into v_batch;
        exit when found;
    end loop;
    if v_batch <> a_batch_id then
        delete from pgq_ext.completed_event e
         where e.consumer_id = a_consumer and e.subconsumer_id = a_subconsumer and e.batch_id = v_batch;
        update pgq_ext.partial_batch p
           set cur_batch_id = a_batch_id
         where p.consumer_id = a_consumer and p.subconsumer_id = a_subconsumer;
    end if;

    insert into pgq_ext.completed_event (consumer_id, subconsumer_id, batch_id, event_id)
    values (a_consumer, a_subconsumer, a_batch_id, a_event_id)
        on conflict (consumer_id, subconsumer_id, batch_id, event_id) do nothing;
    return found;
end;
$$;

create or replace function pgq_ext.set_event_done(a_consumer text, a_batch_id bigint, a_event_id bigint) returns boolean
language plpgsql as $$
begin
    return pgq_ext.set_event_done(a_consumer, '', a_batch_id, a_event_id);
end;
$$;
