-- Replication triggers of one queue on a table. Clones on partitions are left out: they go with their parent.
create or replace function londiste._queue_triggers(
    in i_table_oid oid, in i_queue_name text,
    out trigger_name text, out func_schema text) returns setof record
language sql strict stable set search_path = pg_catalog, pg_temp as $$
    select t.tgname::text, n.nspname::text
      from pg_trigger t
      join pg_proc p on p.oid = t.tgfoid
      join pg_namespace n on n.oid = p.pronamespace
     where t.tgrelid = i_table_oid and not t.tgisinternal and t.tgparentid = 0
       and londiste.is_replica_func(t.tgfoid)
       -- arguments are stored one after the other, each with a zero byte at its end
       and position(convert_to(i_queue_name, getdatabaseencoding()) || '\x00'::bytea in t.tgargs) = 1
     order by t.tgname;
$$;
