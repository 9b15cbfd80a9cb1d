-- What the quick ways of the trigger functions (kaja.trigger_quick_u, _s, _j) must know of a table; null: the quick way is not for it.
--   1  number of columns
--   2  the key: u, s as text of ev_type, j as JSON array
--   3  pattern for format() that makes ev_data of a whole row from its values: u with \x01 for = and \x02 for &; j from its values in JSON,
--      null if row_to_json prints the whole row right
--   4  positions of the key's columns, as array literal
--   5  'leading' if the key is the first column alone
--   6  'backup' if that is an argument; 7 'ignore' likewise
--   8  s: comparison class of each column, see kaja.trigger_read_facts, blank if the column is left out; j: positions of columns that are to be
--      put in quotes as row_to_json prints them
--   9  s: pattern for format() that makes the WHERE of a row's key; j: positions of columns that are strings made of their text
--  10… s: quoted names of the columns, then kaja.trigger_equality of those of class o; j: positions of jsonb columns, whose text row_to_json prints as it is
-- It is not for triggers that skip or deny, for wrong arguments, magic columns and odd names, nor for several triggers of one function whose
-- arguments differ: kaja.trigger_row knows those.
create or replace function kaja.trigger_read_quick_facts(i_relid oid, i_format text) returns text[]
language plpgsql as $$
declare
    v_names   text[];
    v_args    text[];
    v_parsed  text[];
    v_facts   text[];
    v_ignore  text[];
    v_key     text[];
    v_places  int[];
    v_classes text;
    v_result  text[] := pg_catalog.array_fill(null::text, array[9]);
    v_count   int;
begin
    select array_agg(a.attname::text order by a.attnum) into v_names
      from pg_catalog.pg_attribute a where a.attrelid = i_relid and a.attnum > 0 and not a.attisdropped;
    select count(distinct x.args), max(x.args)::text[] into v_count, v_args
      from (select array(select pg_catalog.convert_from(pg_catalog.decode(replace(p.hex, ' ', ''), 'hex'), pg_catalog.getdatabaseencoding())
                           from unnest(string_to_array(pg_catalog.regexp_replace(pg_catalog.encode(t.tgargs, 'hex'), '(..)', E'\\1 ', 'g'), '00 '))
                                with ordinality as p (hex, n)
                          where p.n between 2 and t.tgnargs order by p.n)::text as args
              from pg_catalog.pg_trigger t
             where t.tgrelid = i_relid and t.tgtype & 1 = 1
               and t.tgfoid = (case i_format when 'u' then 'pgq.logutriga()' when 's' then 'pgq.sqltriga()' else 'pgq.jsontriga()' end)::regprocedure) x;
    if v_count <> 1 or v_names is null or array_to_string(v_names, '') ~ E'[\x01-\x07]'
       or exists (select from unnest(v_names) n where left(n, 8) = '_pgq_ev_')
       or exists (select from unnest(v_args) a where a !~ '^(ignore|pkey|when|ev_type|ev_data|ev_extra[1-4])=' and a <> 'backup') then
        return null;
    end if;

    v_parsed := kaja.trigger_args(v_args);
    v_facts := kaja.trigger_read_facts(i_relid, v_names);
    v_ignore := coalesce(kaja.trigger_columns(v_parsed[2], v_facts[6]::text[]), '{}');
    v_key := case when v_parsed[3] is null then v_facts[5]::text[] else kaja.trigger_columns(v_parsed[3], v_facts[6]::text[]) end;
    v_places := array(select c.n from unnest(v_names) with ordinality as c (name, n) where c.name = any (v_key) order by c.n);
    v_result[1] := cardinality(v_names);
    v_result[2] := coalesce(v_parsed[3], v_facts[4]);
    v_result[4] := v_places::text;
    v_result[5] := case when v_places = array[1] then 'leading' end;
    v_result[6] := v_parsed[4];
    v_result[7] := case when v_parsed[2] is not null then 'ignore' end;
    if i_format = 'u' then
        v_result[3] := coalesce((
            select string_agg(pg_catalog.format(E'%s\x01%%%s$s', replace(c.name, '%', '%%'), c.n), E'\x02' order by c.n)
              from unnest(v_names) with ordinality as c (name, n) where c.name <> all (v_ignore)), '');
    elsif i_format = 's' then
        v_result[3] := (select pg_catalog.format('(%s) values (%s)', string_agg(replace(quote_ident(c.name), '%', '%%'), ',' order by c.n),
                                                 string_agg(pg_catalog.format('%%%s$L', c.n), ',' order by c.n))
                          from unnest(v_names) with ordinality as c (name, n) where c.name <> all (v_ignore));
        v_result[8] := (select string_agg(case when c.name = any (v_ignore) then ' ' else substr(v_facts[3], c.n::int, 1) end, '' order by c.n)
                          from unnest(v_names) with ordinality as c (name, n));
        v_result[9] := (select string_agg(pg_catalog.format('%s=%%%s$L', replace(quote_ident(c.name), '%', '%%'), c.n), ' and ' order by c.n)
                          from unnest(v_names) with ordinality as c (name, n) where c.n = any (v_places));
        v_result := v_result || array(select quote_ident(c.name) from unnest(v_names) with ordinality as c (name, n) order by c.n)
                 || array(select case when substr(v_result[8], c.n::int, 1) = 'o' then kaja.trigger_equality(i_relid, c.name) end
                            from unnest(v_names) with ordinality as c (name, n) order by c.n);
    else
        v_result[2] := pg_catalog.array_to_json(case when v_parsed[3] is null then v_facts[5]::text[] else string_to_array(v_parsed[3], ',') end);
        v_classes := kaja.trigger_json_classes(i_relid);
        v_result[8] := array(select c.n from generate_series(1, length(v_classes)) as c (n) where substr(v_classes, c.n, 1) = 'q' and v_names[c.n] <> all (v_ignore))::text;
        v_result[9] := array(select c.n from generate_series(1, length(v_classes)) as c (n) where substr(v_classes, c.n, 1) = 'v' and v_names[c.n] <> all (v_ignore))::text;
        v_result[10] := array(select c.n from generate_series(1, length(v_classes)) as c (n) where substr(v_classes, c.n, 1) = 'w' and v_names[c.n] <> all (v_ignore))::text;
        v_result[3] := case when v_ignore <> '{}' or v_classes ~ '[qvw]' then (
            select pg_catalog.format('{%s}', string_agg(pg_catalog.format('%s:%%%s$s', replace(pg_catalog.to_json(c.name)::text, '%', '%%'), c.n), ',' order by c.n))
              from unnest(v_names) with ordinality as c (name, n) where c.name <> all (v_ignore)) end;
    end if;
    return v_result;
end;
$$;

-- How row_to_json prints the columns of a table, seen by jsontriga: a character per column, n right, q without its quotes,
-- w jsonb, v otherwise.
create or replace function kaja.trigger_json_classes(i_relid oid) returns text
language sql stable as $$
    select string_agg(case -- Domains are strings, and are printed as what they are made of.
                           when b.oid in ('float4'::regtype, 'float8'::regtype, 'numeric'::regtype) or a.atttypid <> b.oid and b.oid in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) then 'q'
                           when b.oid = 'jsonb'::regtype then 'w'
                           when b.oid = 'json'::regtype or a.atttypid <> b.oid and b.oid in ('bool'::regtype, 'date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype) then 'v'
                           when b.typtype = 'e' or b.typtype = 'b' and b.typelem = 0 and b.typnamespace = 'pg_catalog'::regnamespace then 'n'
                           else 'v' end, '' order by a.attnum)
      from pg_catalog.pg_attribute a
     cross join lateral (with recursive base as (
                             select t.oid, t.typtype, t.typelem, t.typnamespace, t.typbasetype from pg_catalog.pg_type t where t.oid = a.atttypid
                             union all
                             select t.oid, t.typtype, t.typelem, t.typnamespace, t.typbasetype from pg_catalog.pg_type t join base on t.oid = base.typbasetype)
                         select base.oid, base.typtype, base.typelem, base.typnamespace from base where base.typbasetype = 0) b
     where a.attrelid = i_relid and a.attnum > 0 and not a.attisdropped
$$;

-- The table that a row's type belongs to, and its quick facts.
--
-- Called with a null of the row's type, `case when false then new end`, both are constants of the caller's plan: the catalog is read when
-- the plan is made. An oid in a plan makes it depend on the table it names, so the plan is made anew after every DDL on that table, in
-- whatever session. IMMUTABLE is what lets the planner do this; both are of use only in expressions that hold the table too.
-- What they read is up to date in READ COMMITTED alone, where the inner, volatile function takes a snapshot of its own.
create or replace function kaja.trigger_table(i_row anyelement) returns oid
language plpgsql immutable as $$
begin
    return (select t.typrelid from pg_catalog.pg_type t where t.oid = pg_catalog.pg_typeof(i_row));
end;
$$;

create or replace function kaja.trigger_quick_facts(i_row anyelement, i_format text) returns text[]
language plpgsql immutable as $$
begin
    return kaja.trigger_read_quick_facts(kaja.trigger_table(i_row), i_format);
end;
$$;
