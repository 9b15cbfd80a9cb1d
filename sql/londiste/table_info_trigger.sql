-- When a table leaves table_info, its replication triggers and its generated capture go with it.
create or replace function londiste.table_info_trigger() returns trigger
language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        perform londiste.drop_table_triggers(old.queue_name, old.table_name);
        perform londiste._drop_capture(old.queue_name, old.table_name);
        return old;
    end if;
    return new;
end;
$$;

-- Before the row is gone, because its name and destination are read again; always, because a worker deletes rows in
-- role replica.
create or replace trigger table_info_trigger_sync before delete on londiste.table_info
    for each row execute function londiste.table_info_trigger();
alter table londiste.table_info enable always trigger table_info_trigger_sync;
