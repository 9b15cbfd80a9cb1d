-- How partitions of a period are named: regular expression and to_char format of the time at the end of the name.
-- Error: unknown period.
create or replace function londiste._partition_suffix(
    in i_partition_period text, out pattern text, out format text)
language plpgsql immutable as $$
begin
    format := case
        when i_partition_period in ('year', 'yearly') then '_YYYY'
        when i_partition_period in ('month', 'monthly') then '_YYYY_MM'
        when i_partition_period in ('day', 'daily') then '_YYYY_MM_DD'
        when i_partition_period in ('hour', 'hourly') then '_YYYY_MM_DD_HH24' end;
    if format is null then
        raise exception 'not supported i_partition_period: %', i_partition_period;
    end if;
    pattern := pg_catalog.replace(pg_catalog.regexp_replace(format, 'MM|DD|HH24', '[0-9][0-9]', 'g'), 'YYYY', '[0-9][0-9][0-9][0-9]');
end;
$$;
