-- The shortest way through a generated statement trigger, tried before everything else in it: no nested statement, settings
-- that print exactly, an event table that may be written to, and in an UPDATE the same keys before and after. What it does not
-- take goes on to the rest of the function, which knows every case.
--
-- One condition and one statement, because a single-row transaction costs little more than its expressions: PL/pgSQL sets each up
-- anew in every transaction. For the same reason these triggers have no WHEN clause (the server parses it anew for every
-- statement), and only the settings that matter to the table's types are looked at.

-- Names, numbers and types of a table's columns, as a short hash.
create or replace function kaja.columns_hash(i_relid oid) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    select md5(string_agg(format('%s %s %s', a.attnum, a.atttypid, a.attname), ',' order by a.attnum))
      from pg_attribute a
     where a.attrelid = i_relid and a.attnum > 0 and not a.attisdropped
$$;

-- Have a table's columns stayed what they were when its capture functions were made? Folded into their plans as kaja.shape_of is: same rules.
create or replace function kaja.same_columns(i_relid oid, i_hash text) returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    return coalesce(kaja.columns_hash(i_relid) = i_hash, false);
end;
$$;

-- Conditions under which the text of a table's rows is exact, by the types of its columns; begins with `and`, or is empty.
create or replace function kaja._capture_exact_settings(i_relid oid, i_has_money boolean) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(string_agg(distinct s.condition, ''), '')
           || case when i_has_money then $m$ and current_setting('lc_monetary') in ('C', 'POSIX')$m$ else '' end
      from (select case when e.typtype = 'e' then 'none'
                        when e.typtype = 'b' and e.typname in ('bool', 'int2', 'int4', 'int8', 'oid', 'numeric', 'text', 'varchar', 'bpchar', 'name', 'char', 'uuid',
                                                               'json', 'jsonb', 'bytea', 'inet', 'cidr', 'macaddr', 'macaddr8', 'bit', 'varbit', 'time', 'tsvector') then 'none'
                        when e.typtype = 'b' and e.typname in ('date', 'timestamp', 'timestamptz') then 'date'
                        when e.typtype = 'b' and e.typname in ('float4', 'float8') then 'float'
                        else 'any' end as kind
              from pg_attribute a
              join pg_type t on t.oid = a.atttypid
              join pg_type e on e.oid = case when t.typcategory = 'A' and t.typelem <> 0 then t.typelem else t.oid end
              join pg_namespace n on n.oid = e.typnamespace
             where a.attrelid = i_relid and a.attnum > 0 and not a.attisdropped and (n.nspname = 'pg_catalog' or e.typtype = 'e')
            union all
            -- Whatever is not known: domains, composite types, ranges, types of extensions.
            select 'any' from pg_attribute a
              join pg_type t on t.oid = a.atttypid
              join pg_type e on e.oid = case when t.typcategory = 'A' and t.typelem <> 0 then t.typelem else t.oid end
             where a.attrelid = i_relid and a.attnum > 0 and not a.attisdropped and e.typnamespace <> 'pg_catalog'::regnamespace and e.typtype <> 'e') k
      join (values ('date', $s$ and current_setting('DateStyle') like 'ISO%'$s$),
                   ('float', $s$ and current_setting('extra_float_digits') in ('1', '2', '3')$s$),
                   ('interval', $s$ and current_setting('IntervalStyle') = 'postgres'$s$)) s(kind, condition) on s.kind = k.kind or k.kind = 'any'
$$;

-- Condition of an UPDATE: its rows have, as a set, the keys they had. The hashes of all old and new keys cancel each other out; by
-- chance they do so for different keys once in 2^64 statements. Linear, in constant memory, and it names no column of the table: columns are
-- counted, padded so that there are always enough, and kaja.same_columns says whether the count still holds.
create or replace function kaja._capture_same_keys(i_capture kaja.capture) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    v_hash text := '0';
    v_pick text;     -- the key columns of r
    v_rows text;     -- a transition table's rows r, whose columns are numbered
    v_key  record;
    v_last bigint := 0;
begin
    for v_key in
        select k.n, c.place
          from unnest(i_capture.key_attnums) with ordinality as k(attnum, n)
          left join json_each_text(i_capture.columns) with ordinality as c(name, attnum, place) on c.attnum = k.attnum::text
         order by k.n
    loop
        if v_key.place is null then
            return 'false';
        end if;
        v_last := greatest(v_last, v_key.place);
        v_hash := format('hashtextextended(k.k%s, %s)', v_key.n, v_hash);
        v_pick := concat_ws(', ', v_pick, format('coalesce(r.%I::text, E''\x01'') collate "C" as k%s', format('kaja %s %s', i_capture.shape_id, v_key.place), v_key.n));
    end loop;
    select format('select %s from (select x.*%s from %%s x) r(%s)', v_pick, repeat(', null', v_last::int),
                  string_agg(format('%I', format('kaja %s %s', i_capture.shape_id, n)), ', ' order by n))
      into v_rows from generate_series(1, v_last) n;
    return format('(select bit_xor(%s) from (%s union all %s) k) = 0', v_hash, format(v_rows, 'oldtab'), format(v_rows, 'newtab'));
end;
$$;

-- Text to stand at the beginning of a statement trigger's function. i_data: text form of row r.
create or replace function kaja._capture_quick(i_capture kaja.capture, i_op text, i_queue_id int, i_tables int, i_has_money boolean, i_data text)
returns text language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    v_keyed boolean := i_capture.style = 'key';
begin
    return format($f$    if tg_relid = %s and v_table < %s%s
       and current_setting('transaction_isolation') = 'read committed' and coalesce(current_setting('kaja.nested', true), '') = ''
       and current_setting('session_replication_role') <> 'local' and coalesce(current_setting('kaja.applying', true), '') = ''%s then
        %s
        if found or not exists (select from %s) then
            return null;
        end if;
    elsif current_setting('session_replication_role') = 'local' or coalesce(current_setting('kaja.applying', true), '') <> '' then
        return null;
    end if;
$f$, i_capture.relid, i_tables,
         case when v_keyed then ' and pg_trigger_depth() = 1' else '' end
         -- Rows that this transaction wrote before may have been written by the same statement.
         || case when v_keyed and i_op = 'DELETE' then format($d$
       and pg_stat_get_xact_tuples_inserted(%1$s) = 0 and pg_stat_get_xact_tuples_updated(%1$s) = 0 and current_setting('track_counts') = 'on'$d$, i_capture.relid) else '' end,
         kaja._capture_exact_settings(i_capture.relid, i_has_money),
         kaja._capture_insert(i_capture, i_queue_id, i_tables, left(i_op, 1), format('kaja.shape_of(%s)', i_capture.relid), i_data,
                              format(' from %s r where kaja.same_columns(%s, %L)%s', case i_op when 'DELETE' then 'oldtab' else 'newtab' end, i_capture.relid,
                                     kaja.columns_hash(i_capture.relid), case when i_op = 'UPDATE' then ' and ' || kaja._capture_same_keys(i_capture) else '' end)),
         case i_op when 'DELETE' then 'oldtab' else 'newtab' end);
end;
$$;
