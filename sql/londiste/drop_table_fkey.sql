-- Drop a foreign key and remember it as pending. Result: 1, or 0 when there is no such key.
-- Error: unique violation when a key of that name is pending already. Locks both tables.
create or replace function londiste.drop_table_fkey(i_from_table text, i_fkey_name text) returns int4
language plpgsql strict as $$
declare
    v_from text := londiste.make_fqname(i_from_table);
begin
    insert into londiste.pending_fkeys (from_table, to_table, fkey_name, fkey_def)
    select f.from_table, f.to_table, f.fkey_name, f.fkey_def
      from londiste.find_table_fkeys(v_from) f
     where f.from_table = v_from and f.fkey_name = i_fkey_name;
    if not found then
        return 0;
    end if;
    execute pg_catalog.format('alter table %s drop constraint %I', londiste.quote_fqname(v_from), i_fkey_name);
    return 1;
end;
$$;
