-- Store statements that recreate what a merge copy dropped, NULL when they have been run.
-- Result: 200, 404 not a local table, 405 no copy of the table is in progress.
create or replace function londiste.local_set_table_struct(
    in i_queue_name text, in i_table_name text, in i_dropped_ddl text,
    out ret_code int4, out ret_note text)
language plpgsql as $$
declare
    v_fq    text := londiste.make_fqname(i_table_name);
    v_state text;
begin
    select t.merge_state into v_state
      from londiste.table_info t
     where t.queue_name = i_queue_name and t.table_name = v_fq and t.local
       for update;
    if not found then
        ret_code := 404;
        ret_note := 'no such local table: ' || v_fq;
        return;
    end if;
    if i_dropped_ddl is not null and coalesce(v_state, '') not in ('in-copy', 'catching-up') then
        ret_code := 405;
        ret_note := 'Table struct can be stored only while the table is copied: ' || v_fq;
        return;
    end if;
    update londiste.table_info t set dropped_ddl = i_dropped_ddl
     where t.queue_name = i_queue_name and t.table_name = v_fq;
    ret_code := 200;
    ret_note := 'Table struct stored';
end;
$$;
