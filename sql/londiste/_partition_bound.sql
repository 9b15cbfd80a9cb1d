-- A time as it is written into the check of a partition: with its offset when the column has a time zone, so that
-- changes of daylight saving time leave no doubt.
create or replace function londiste._partition_bound(i_table oid, i_column text, i_time timestamptz) returns text
language sql strict stable set search_path = pg_catalog, pg_temp set datestyle = 'ISO, MDY' as $$
    select case when exists (select from pg_attribute a
                              where a.attrelid = i_table and a.attname = i_column
                                and a.atttypid = 'timestamp with time zone'::regtype)
                then i_time::text
                else i_time::timestamp::text end;
$$;
