-- Drop the generated capture of a table, its functions and its metadata, where there is such a thing.
-- A caller without rights on it passes: it still removes triggers made with those of pgq.
create or replace function londiste._drop_capture(i_queue_name text, i_table_name text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if exists (select from pg_proc p
                where p.oid = to_regprocedure('kaja.drop_capture(text,text)')
                  and has_function_privilege(p.oid, 'execute')
                  and (p.prosecdef or has_table_privilege(to_regclass('kaja.capture'), 'delete'))) then
        execute 'select kaja.drop_capture($1, $2)' using i_queue_name, i_table_name;
    end if;
end;
$$;
