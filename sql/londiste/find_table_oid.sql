-- Id of an ordinary or partitioned table, NULL when there is none.
create or replace function londiste.find_table_oid(tbl text) returns oid
language sql strict stable as $$
    select coalesce(londiste.find_rel_oid(tbl, 'r'), londiste.find_rel_oid(tbl, 'p'));
$$;
