-- What the trigger functions must know of a table, as text[]:
--   1  null, for whoever keeps these facts
--   2  JSON classes, a character per column: d number, b boolean, t date or time, s string
--   3  comparison classes, a character per column: x by text, n numeric, f float, i interval, o by the type's operator
--   4  names of the primary key's columns in key order, joined by comma; 5 the same as array literal
--   6  names of columns with commas or white space in them, as array literal
create or replace function kaja.trigger_read_facts(i_relid oid, i_names text[]) returns text[]
language plpgsql as $$
declare
    v_facts text[] := array[null::text];
begin
    select v_facts || coalesce(string_agg(
                case when a.atttypid in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) then 'd'
                     when a.atttypid = 'bool'::regtype then 'b'
                     when a.atttypid in ('date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype) then 't'
                     else 's' end, '' order by a.attnum), '')
                   || coalesce(string_agg(
                case when a.atttypid = 'numeric'::regtype then 'n'
                     when a.atttypid in ('float4'::regtype, 'float8'::regtype) then 'f'
                     when a.atttypid = 'interval'::regtype then 'i'
                     when t.typcategory = 'A' then 'x'
                     when t.typtype = 'b' and t.typnamespace = 'pg_catalog'::regnamespace and coalesce(l.collisdeterministic, true)
                          and a.atttypid not in ('jsonb'::regtype, 'timetz'::regtype, 'money'::regtype) then 'x'
                     when t.typtype = 'e' then 'x'
                     else 'o' end, '' order by a.attnum), '')
      into v_facts
      from pg_catalog.pg_attribute a
      join pg_catalog.pg_type t on t.oid = a.atttypid
      left join pg_catalog.pg_collation l on l.oid = a.attcollation
     where a.attrelid = i_relid and a.attnum > 0 and not a.attisdropped;
    select v_facts || coalesce(string_agg(a.attname, ',' order by k.n), '') || coalesce(array_agg(a.attname::text order by k.n), '{}')::text
      into v_facts
      from pg_catalog.pg_index i
      cross join lateral unnest(i.indkey) with ordinality as k (attnum, n)
      join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
     where i.indrelid = i_relid and i.indisprimary and k.n <= i.indnkeyatts;
    v_facts := v_facts || array(select n from unnest(i_names) n where n ~ E'[,\\s]')::text;
    return v_facts;
end;
$$;

-- The same, kept in a setting that lives as long as the transaction, so that not every row reads the catalog. The first element is the
-- state of the table that they were read for. They are read anew for every statement of the client. DDL between two statements of one
-- client message is seen by the column names i_names, the file and the key that the server itself would use to identify rows.
create or replace function kaja.trigger_relation_facts(i_relid oid, i_names text[]) returns text[]
language plpgsql as $$
declare
    v_facts text[] := nullif(pg_catalog.current_setting('kaja.facts_' || i_relid, true), '')::text[];
    v_state text := pg_catalog.concat_ws(' ', pg_catalog.statement_timestamp(), pg_catalog.now(), pg_catalog.pg_relation_filenode(i_relid),
                                         pg_catalog.pg_get_replica_identity_index(i_relid), i_names::text);
begin
    if v_facts[1] = v_state then
        return v_facts;
    end if;
    v_facts := kaja.trigger_read_facts(i_relid, i_names);
    v_facts[1] := v_state;
    perform pg_catalog.set_config('kaja.facts_' || i_relid, v_facts::text, true);
    return v_facts;
end;
$$;
