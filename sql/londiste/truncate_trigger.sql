-- Log TRUNCATE of a renamed table as event R with the name that receivers know.
-- Trigger arguments: queue, logical table name. pgq.sqltriga can only tell the physical name.
-- Silent in role local and in sessions that apply changes.
create or replace function londiste.truncate_trigger() returns trigger
language plpgsql as $$
begin
    if pg_catalog.current_setting('session_replication_role') <> 'local'
       and coalesce(pg_catalog.current_setting('kaja.applying', true), '') = '' then
        perform pgq.insert_event(tg_argv[0], 'R', '', tg_argv[1], null, null, null);
    end if;
    return null;
end;
$$;
