-- Trigger function on londiste.table_info: counts changes of a queue's tables in kaja.table_version, and wakes the worker of this node
-- (channel kaja_tables, payload: the queue), which would otherwise see the change only at its next poll.
create or replace function kaja.bump_table_version() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_queue text := case tg_op when 'DELETE' then old.queue_name else new.queue_name end;
begin
    insert into kaja.table_version as v (queue_name, version)
    values (v_queue, 1)
    on conflict (queue_name) do update set version = v.version + 1;
    perform pg_notify('kaja_tables', v_queue);
    return null;
end;
$$;
