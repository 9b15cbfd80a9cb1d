-- One letter per column of a table: k for columns of the primary key, v for the others; '' without the table.
create or replace function londiste.find_column_types(tbl text) returns text
language sql strict stable as $$
    select coalesce(pg_catalog.string_agg(
               case when exists (select from pg_catalog.pg_constraint c
                                  where c.conrelid = a.attrelid and c.contype = 'p' and a.attnum = any (c.conkey))
                    then 'k' else 'v' end, '' order by a.attnum), '')
      from pg_catalog.pg_attribute a
     where a.attrelid = londiste.find_table_oid(tbl) and a.attnum > 0 and not a.attisdropped;
$$;
