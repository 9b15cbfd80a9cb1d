-- Do two values of a column count as the same? i_class: comparison class of the column, see kaja.trigger_relation_facts.
-- The type's own equality decides, as in `where`; types without one, and arrays, are compared as text.
create or replace function kaja.trigger_same_value(i_relid oid, i_name text, i_class text, i_old text, i_new text) returns boolean
language plpgsql stable as $$
declare
    v_type     record;
    v_operator record;
    v_same     boolean;
begin
    if i_old is null or i_new is null or i_old = i_new collate "C" or i_class = 'x' then
        return i_old collate "C" is not distinct from i_new collate "C";
    elsif i_class = 'n' then
        return i_old::numeric = i_new::numeric;
    elsif i_class = 'f' then
        return i_old::float8 = i_new::float8;
    elsif i_class = 'i' then
        return i_old::interval = i_new::interval;
    end if;
    select pg_catalog.format_type(a.atttypid, a.atttypmod) as name, b.oid, b.typcategory, b.typtype, l.collname, ln.nspname as collschema
      into v_type
      from pg_catalog.pg_attribute a
      cross join lateral (with recursive base as (
                              select t.oid, t.typcategory, t.typtype, t.typbasetype from pg_catalog.pg_type t where t.oid = a.atttypid
                              union all
                              select t.oid, t.typcategory, t.typtype, t.typbasetype from pg_catalog.pg_type t join base on t.oid = base.typbasetype)
                          select base.oid, base.typcategory, base.typtype from base where base.typbasetype = 0) b
      left join pg_catalog.pg_collation l on l.oid = a.attcollation and l.collname <> 'default'
      left join pg_catalog.pg_namespace ln on ln.oid = l.collnamespace
     where a.attrelid = i_relid and a.attname = i_name and not a.attisdropped;
    select n.nspname, o.oprname into v_operator
      from pg_catalog.pg_opclass c
      join pg_catalog.pg_am m on m.oid = c.opcmethod
      join pg_catalog.pg_amop p on p.amopfamily = c.opcfamily and p.amoplefttype = c.opcintype and p.amoprighttype = c.opcintype
       and p.amopstrategy = case m.amname when 'btree' then 3 else 1 end
      join pg_catalog.pg_operator o on o.oid = p.amopopr
      join pg_catalog.pg_namespace n on n.oid = o.oprnamespace
     where c.opcdefault and m.amname in ('btree', 'hash') and v_type.typcategory <> 'A'
       and c.opcintype in (v_type.oid, case v_type.typtype when 'e' then 'anyenum'::regtype when 'r' then 'anyrange'::regtype
                                                           when 'm' then 'anymultirange'::regtype when 'c' then 'record'::regtype end)
     order by m.amname limit 1;
    if not found then
        return false;
    end if;
    execute pg_catalog.format('select $1::%1$s%2$s operator(%3$I.%4$s) $2::%1$s%2$s', v_type.name,
                              case when v_type.collname is null then '' else pg_catalog.format(' collate %I.%I', v_type.collschema, v_type.collname) end, v_operator.nspname, v_operator.oprname)
       into v_same using i_old, i_new;
    return v_same;
end;
$$;
