-- Store copy state and snapshot of a local table; NULL, NULL asks for a new copy. Result: 200, 404 not a local table.
create or replace function londiste.local_set_table_state(
    in i_queue_name text, in i_table_name text, in i_snapshot text, in i_merge_state text,
    out ret_code int4, out ret_note text)
language plpgsql as $$
declare
    v_fq text := londiste.make_fqname(i_table_name);
begin
    update londiste.table_info t set custom_snapshot = i_snapshot, merge_state = i_merge_state
     where t.queue_name = i_queue_name and t.table_name = v_fq and t.local;
    if found then
        ret_code := 200;
        ret_note := 'Table ' || v_fq || ' state set to ' || coalesce(pg_catalog.quote_literal(i_merge_state), 'NULL');
    else
        ret_code := 404;
        ret_note := 'No such table: ' || v_fq;
    end if;
end;
$$;
