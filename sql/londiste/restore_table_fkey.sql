-- Restore a pending foreign key.
--   i_lazy  false: at once, the table is locked while the rows are checked; true: return the next statement for the
--           caller to run, each in its own transaction, until '' says that it is done
-- Result: '' when there is nothing (left) to do. Locks the pending row.
create or replace function londiste.restore_table_fkey(i_from_table text, i_fkey_name text, i_lazy boolean default false)
returns text
language plpgsql strict as $$
declare
    v_from      text := londiste.make_fqname(i_from_table);
    v_oid       oid := londiste.find_table_oid(v_from);
    v_def       text;
    v_validated boolean;
begin
    select p.fkey_def into v_def
      from londiste.pending_fkeys p where p.from_table = v_from and p.fkey_name = i_fkey_name for update;
    if not found then
        return '';
    end if;
    if i_lazy then
        select k.convalidated into v_validated
          from pg_catalog.pg_constraint k
         where k.conrelid = v_oid and k.conname = i_fkey_name and k.contype = 'f';
        if not found then
            -- Before PostgreSQL 18 a partitioned table takes no unchecked foreign key.
            if londiste.find_rel_oid(v_from, 'p') is not null
               and pg_catalog.current_setting('server_version_num')::int4 < 180000 then
                return v_def;
            end if;
            return v_def || ' not valid';
        end if;
        if not v_validated then
            return pg_catalog.format('alter table %s validate constraint %I', londiste.quote_fqname(v_from), i_fkey_name);
        end if;
    else
        execute v_def;
    end if;
    delete from londiste.pending_fkeys p where p.from_table = v_from and p.fkey_name = i_fkey_name;
    return '';
end;
$$;
