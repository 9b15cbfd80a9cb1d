-- Store the worker's attributes (urlencoded) of a local table. Result: 200, 404 not a local table.
create or replace function londiste.local_set_table_attrs(
    in i_queue_name text, in i_table_name text, in i_table_attrs text,
    out ret_code int4, out ret_note text)
language plpgsql as $$
declare
    v_fq text := londiste.make_fqname(i_table_name);
begin
    update londiste.table_info t set table_attrs = i_table_attrs
     where t.queue_name = i_queue_name and t.table_name = v_fq and t.local;
    if found then
        ret_code := 200;
        ret_note := v_fq || ': Table attributes stored';
    else
        ret_code := 404;
        ret_note := 'no such local table: ' || v_fq;
    end if;
end;
$$;
