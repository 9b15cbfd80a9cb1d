-- Partitions of a parent (by name) whose time lies before the retention period, quoted, in order.
create or replace function londiste.list_obsolete_partitions(
    in i_parent_table text, in i_retention_period interval, in i_partition_period text) returns setof text
language plpgsql as $$
declare
    v_schema text;
    v_base   text;
    v_suffix record;
begin
    select s.schema_part, s.name_part into v_schema, v_base from londiste.split_fqname(i_parent_table) s;
    select s.pattern, s.format into v_suffix from londiste._partition_suffix(i_partition_period) s;
    return query
        select pg_catalog.quote_ident(t.schemaname) || '.' || pg_catalog.quote_ident(t.tablename)
          from pg_catalog.pg_tables t
         where t.schemaname = v_schema
           and pg_catalog.left(t.tablename::text, pg_catalog.length(v_base)) = v_base
           and pg_catalog.substr(t.tablename::text, pg_catalog.length(v_base) + 1) ~ ('^' || v_suffix.pattern || '$')
           and t.tablename::text collate "C"
               < v_base || pg_catalog.to_char(pg_catalog.now() - i_retention_period, v_suffix.format) collate "C"
         order by 1;
end;
$$;
