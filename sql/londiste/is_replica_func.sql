-- True for trigger functions that log or refuse changes for a queue: their first argument is the queue name.
create or replace function londiste.is_replica_func(func_oid oid) returns boolean
language sql strict stable as $$
    select exists (
        select
          from pg_catalog.pg_proc p
          join pg_catalog.pg_namespace n on n.oid = p.pronamespace
         where p.oid = func_oid
           and (n.nspname = 'pgq' and p.proname in ('logutriga', 'sqltriga', 'jsontriga')
                or n.nspname = 'kaja' and (p.proname like 'capture\_%' or p.proname = 'deny_write')
                or n.nspname = 'londiste' and p.proname = 'truncate_trigger'));
$$;
