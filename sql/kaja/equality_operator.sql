-- Equality of a type as its default btree operator class has it, for SQL that runs under a pinned search_path.
-- i_type: type or domain. Result: `=` where pg_catalog has it, else `operator(schema.name)`.
create or replace function kaja.equality_operator(i_type oid) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    with recursive base(type) as (
        select i_type
         union all
        select t.typbasetype from base b join pg_type t on t.oid = b.type where t.typbasetype <> 0)
    select coalesce((
        select case when s.nspname = 'pg_catalog' and p.oprname = '=' then '=' else format('operator(%I.%s)', s.nspname, p.oprname) end
          from base b
          join pg_opclass l on l.opcintype = b.type and l.opcdefault
          join pg_am m on m.oid = l.opcmethod and m.amname = 'btree'
          join pg_amop w on w.amopfamily = l.opcfamily and w.amopstrategy = 3 and w.amoplefttype = l.opcintype and w.amoprighttype = l.opcintype
          join pg_operator p on p.oid = w.amopopr
          join pg_namespace s on s.oid = p.oprnamespace
         limit 1), '=')
$$;
