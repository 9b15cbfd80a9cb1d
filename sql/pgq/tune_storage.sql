-- Set the storage options of a queue's event tables: they only grow and are truncated, so autovacuum has nothing to do.
-- Returns 1, or 0 if there is no such queue. Needs ownership of the tables.
create or replace function pgq.tune_storage(i_queue_name text) returns int
language plpgsql strict as $$
declare
    v_queue record;
begin
    select q.queue_ntables, q.queue_data_pfx into v_queue from pgq.queue q where q.queue_name = i_queue_name;
    if not found then
        return 0;
    end if;
    for n in 0 .. v_queue.queue_ntables - 1 loop
        execute format('alter table %s set (fillfactor = 100, autovacuum_enabled = off, toast.autovacuum_enabled = off)',
                       pgq.quote_fqname(v_queue.queue_data_pfx || '_' || n));
    end loop;
    return 1;
end;
$$;
