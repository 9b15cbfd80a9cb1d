-- True when the time in a partition's name lies before the retention period.
--   i_partition_period  hour, day, month, year, or hourly, daily, …
-- Result: NULL when the name does not end in a time of that period. Error: another period.
create or replace function londiste.is_obsolete_partition(
    in i_partition_table text, in i_retention_period interval, in i_partition_period text) returns boolean
language plpgsql as $$
declare
    v_suffix record;
    v_base   text;
begin
    select s.pattern, s.format into v_suffix from londiste._partition_suffix(i_partition_period) s;
    v_base := pg_catalog.substring(i_partition_table, '^(.*)' || v_suffix.pattern || '$');
    if v_base is null then
        return null;
    end if;
    return coalesce(i_partition_table collate "C"
                    < v_base || pg_catalog.to_char(pg_catalog.now() - i_retention_period, v_suffix.format) collate "C", false);
end;
$$;
