-- Do two values of a column count as the same? i_class: comparison class of the column, see kaja.trigger_relation_facts.
-- The type's own equality decides, as in `where`; types without one, and arrays, are compared as text.
create or replace function kaja.trigger_same_value(i_relid oid, i_name text, i_class text, i_old text, i_new text) returns boolean
language plpgsql stable as $$
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
    return kaja.trigger_equal(kaja.trigger_equality(i_relid, i_name), i_old, i_new);
end;
$$;

-- How a column's values compare by its type's default equality, for kaja.trigger_equal: type, its modifier, collation (0: the default one)
-- and operator, as numbers, so that it survives new names; null where the type has none.
create or replace function kaja.trigger_equality(i_relid oid, i_name text) returns text
language plpgsql stable as $$
declare
    v_type     record;
    v_operator record;
begin
    select a.atttypid, a.atttypmod, b.oid, b.typcategory, b.typtype, coalesce(l.oid, 0) as collation
      into v_type
      from pg_catalog.pg_attribute a
      cross join lateral (with recursive base as (
                              select t.oid, t.typcategory, t.typtype, t.typbasetype from pg_catalog.pg_type t where t.oid = a.atttypid
                              union all
                              select t.oid, t.typcategory, t.typtype, t.typbasetype from pg_catalog.pg_type t join base on t.oid = base.typbasetype)
                          select base.oid, base.typcategory, base.typtype from base where base.typbasetype = 0) b
      left join pg_catalog.pg_collation l on l.oid = a.attcollation and l.collname <> 'default'
     where a.attrelid = i_relid and a.attname = i_name and not a.attisdropped;
    select p.amopopr as oid into v_operator
      from pg_catalog.pg_opclass c
      join pg_catalog.pg_am m on m.oid = c.opcmethod
      join pg_catalog.pg_amop p on p.amopfamily = c.opcfamily and p.amoplefttype = c.opcintype and p.amoprighttype = c.opcintype
       and p.amopstrategy = case m.amname when 'btree' then 3 else 1 end
     where c.opcdefault and m.amname in ('btree', 'hash') and v_type.typcategory <> 'A'
       and c.opcintype in (v_type.oid, case v_type.typtype when 'e' then 'anyenum'::regtype when 'r' then 'anyrange'::regtype
                                                           when 'm' then 'anymultirange'::regtype when 'c' then 'record'::regtype end)
     order by m.amname limit 1;
    if not found then
        return null;
    end if;
    return pg_catalog.concat_ws(' ', v_type.atttypid, v_type.atttypmod, v_type.collation, v_operator.oid);
end;
$$;

-- Are two values of a column, as text, equal? i_equality: of kaja.trigger_equality, null: never.
create or replace function kaja.trigger_equal(i_equality text, i_old text, i_new text) returns boolean
language plpgsql stable as $$
declare
    v_parts text[] := string_to_array(i_equality, ' ');
    v_equal boolean := false;
begin
    if i_equality is not null then
        execute pg_catalog.format('select $1::%1$s%2$s operator(%3$s) $2::%1$s%2$s', pg_catalog.format_type(v_parts[1]::oid, v_parts[2]::int),
                                  case when v_parts[3] <> '0' then ' collate ' || v_parts[3]::oid::regcollation end, v_parts[4]::oid::regoper)
           into v_equal using i_old, i_new;
    end if;
    return v_equal;
end;
$$;
