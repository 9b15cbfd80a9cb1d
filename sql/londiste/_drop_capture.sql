-- Drop the generated capture of a table, its functions and its metadata, where there is such a thing.
create or replace function londiste._drop_capture(i_queue_name text, i_table_name text) returns void
language plpgsql as $$
begin
    if pg_catalog.to_regprocedure('kaja.drop_capture(text,text)') is not null then
        execute 'select kaja.drop_capture($1, $2)' using i_queue_name, i_table_name;
    end if;
end;
$$;
