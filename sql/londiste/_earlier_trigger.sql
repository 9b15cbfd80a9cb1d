-- First AFTER row trigger of somebody else that fires before a given trigger (triggers fire in name order); NULL when
-- there is none. What such a trigger writes is logged before the row that caused it.
create or replace function londiste._earlier_trigger(i_table_oid oid, i_trigger_name text) returns text
language sql strict stable set search_path = pg_catalog, pg_temp as $$
    select t.tgname::text
      from pg_trigger t
     where t.tgrelid = i_table_oid and not t.tgisinternal
       and t.tgtype & 1 = 1         -- for each row
       and t.tgtype & (2 | 64) = 0  -- neither before nor instead of
       and t.tgname < i_trigger_name::name
       and not londiste.is_replica_func(t.tgfoid)
       and exists (select from pg_trigger l
                    where l.tgrelid = i_table_oid and l.tgname = i_trigger_name::name and l.tgtype & 2 = 0)
     order by t.tgname
     limit 1;
$$;
