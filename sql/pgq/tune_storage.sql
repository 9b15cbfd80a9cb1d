-- Set the storage options of a queue's event tables: they only grow and are truncated, so autovacuum has nothing to do.
-- Rows too big for a page are compressed while the application waits: by lz4 where the server has it, in a fraction of the time.
-- Returns 1, or 0 if there is no such queue. Needs ownership of the tables.
create or replace function pgq.tune_storage(i_queue_name text) returns int
language plpgsql strict as $$
declare
    v_queue record;
    v_lz4   boolean := exists (select 1 from pg_catalog.pg_settings s
                                where s.name = 'default_toast_compression' and 'lz4' = any (s.enumvals));
    v_table text;
begin
    select q.queue_ntables, q.queue_data_pfx into v_queue from pgq.queue q where q.queue_name = i_queue_name;
    if not found then
        return 0;
    end if;
    for n in 0 .. v_queue.queue_ntables - 1 loop
        v_table := pgq.quote_fqname(v_queue.queue_data_pfx || '_' || n);
        execute format('alter table %s set (fillfactor = 100, autovacuum_enabled = off, toast.autovacuum_enabled = off)', v_table);
        if v_lz4 then
            execute format('alter table %s alter column ev_data set compression lz4', v_table);
        end if;
    end loop;
    return 1;
end;
$$;
