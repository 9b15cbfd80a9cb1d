-- Drop partitions of a parent whose time lies before the retention period. Result: their names. Locks them.
create or replace function londiste.drop_obsolete_partitions(
    in i_parent_table text, in i_retention_period interval, in i_partition_period text) returns setof text
language plpgsql as $$
declare
    v_part text;
begin
    for v_part in
        select p from londiste.list_obsolete_partitions(i_parent_table, i_retention_period, i_partition_period) p
    loop
        execute 'drop table ' || v_part;
        return next v_part;
    end loop;
end;
$$;
