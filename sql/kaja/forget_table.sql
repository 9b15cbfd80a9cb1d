-- Trigger function on londiste.table_info, AFTER DELETE or UPDATE OF local: forget copy state, column map and counters of a
-- table that is no longer local.
create or replace function kaja.forget_table() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op = 'UPDATE' and (new.local or not old.local) then
        return null;
    end if;
    delete from kaja.table_copy k where k.queue_name = old.queue_name and k.table_name = old.table_name;
    delete from kaja.column_map k where k.queue_name = old.queue_name and k.table_name = old.table_name;
    delete from kaja.table_stats k where k.queue_name = old.queue_name and k.table_name = old.table_name;
    return null;
end;
$$;
