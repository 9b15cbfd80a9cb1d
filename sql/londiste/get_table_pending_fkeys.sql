-- Dropped foreign keys from and to a table (physical name) that wait to be restored.
create or replace function londiste.get_table_pending_fkeys(i_table_name text) returns setof londiste.pending_fkeys
language sql strict stable as $$
    select p.*
      from londiste.pending_fkeys p
     where londiste.make_fqname(i_table_name) in (p.from_table, p.to_table)
     order by p.from_table, p.to_table, p.fkey_name;
$$;
