-- Trigger function on pgq.queue, AFTER DELETE: captured tables of a dropped queue must go on taking writes.
-- The capture functions become empty at once, which needs no lock on the tables; triggers are dropped where that is possible
-- without making writers wait, and are harmless where it is not.
create or replace function kaja.forget_queue_captures() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_capture  kaja.capture;
    v_function text;
begin
    for v_capture in delete from kaja.capture c where c.queue_name = old.queue_name returning c.* loop
        for v_function in
            select p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
             where n.nspname = 'kaja' and p.proname like format('capture\_%s\_%%', v_capture.capture_id)
        loop
            execute format('create or replace function kaja.%I() returns trigger language plpgsql as %L', v_function, 'begin return null; end');
        end loop;
        begin
            perform set_config('lock_timeout', '200ms', true);
            perform kaja._drop_capture_triggers(v_capture.capture_id, v_capture.relid, old.queue_name);
            execute (select string_agg(format('drop function kaja.%I()', p.proname), '; ')
                       from pg_proc p join pg_namespace n on n.oid = p.pronamespace
                      where n.nspname = 'kaja' and p.proname like format('capture\_%s\_%%', v_capture.capture_id));
        exception when lock_not_available or insufficient_privilege then
            null;
        end;
    end loop;
    return null;
end;
$$;
