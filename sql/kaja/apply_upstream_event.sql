-- Events in the formats of PgQ's own triggers (logutriga, sqltriga, jsontriga), applied one at a time.

-- Decode urlencoded text: `+` is a blank, %xx a byte of UTF-8.
create or replace function kaja.urldecode(i_text text) returns text
language sql immutable strict set search_path = pg_catalog, pg_temp as $$
    select coalesce(convert_from(decode(string_agg(
             case when m.part[1] ~ '^%[0-9a-fA-F]{2}$' then substr(m.part[1], 2) else encode(convert_to(m.part[1], 'UTF8'), 'hex') end, '' order by m.n), 'hex'), 'UTF8'), '')
      from regexp_matches(replace(i_text, '+', ' '), '%[0-9a-fA-F]{2}|[^%]+|%', 'g') with ordinality as m(part, n)
$$;

-- Columns and values (null for SQL NULL) of a row event in logutriga's or jsontriga's format.
create or replace function kaja.upstream_row(i_data text, i_is_json boolean) returns table (name text, value text)
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select j.key, case when json_typeof(j.value) = 'null' then null else j.value #>> '{}' end
      from json_each(case when i_is_json then i_data::json else '{}' end) j
    union all
    select kaja.urldecode(split_part(p.pair, '=', 1)),
           case when strpos(p.pair, '=') > 0 then kaja.urldecode(substr(p.pair, strpos(p.pair, '=') + 1)) end
      from unnest(string_to_array(case when i_is_json then '' else i_data end, '&')) p(pair)
     where p.pair <> ''
$$;

-- Apply one event to a table.
--   i_type, i_data  as in the event
--   i_dest          quoted physical name, with `only` where children are not meant
--   i_where         row filter of this node, NULL: none; rows that do not match are taken away again
-- Result: inserted | updated | deleted | update_missing (the row was inserted where the event holds all of it) |
--   delete_missing | insert_found (the row was overwritten where possible).
-- Errors: those of the statement; an event that cannot be read.
create or replace function kaja.apply_upstream_event(i_type text, i_data text, i_dest text, i_where text) returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_table   text := regexp_replace(i_dest, '^only ', '');
    v_is_json boolean := i_type like '{%';
    v_op      text;
    v_keys    text[];
    v_match   text;
    v_sets    text;
    v_names   text;
    v_values  text;
    v_rows    bigint;
    v_result  text;
begin
    if i_type in ('I', 'U', 'D') then
        execute case i_type when 'I' then format('insert into %s %s on conflict do nothing', v_table, i_data)
                            when 'U' then format('update %s set %s', i_dest, i_data)
                            else format('delete from %s where %s', i_dest, i_data) end;
        get diagnostics v_rows = row_count;
        return case i_type when 'I' then case v_rows when 0 then 'insert_found' else 'inserted' end
                           when 'U' then case v_rows when 0 then 'update_missing' else 'updated' end
                           else case v_rows when 0 then 'delete_missing' else 'deleted' end end;
    end if;
    if v_is_json then
        v_op := left(i_type::json ->> 'op', 1);
        select array_agg(k.name order by k.n) into v_keys from json_array_elements_text(i_type::json -> 'pkey') with ordinality as k(name, n);
    else
        v_op := left(i_type, 1);
        v_keys := string_to_array(nullif(substr(i_type, 3), ''), ',');
    end if;
    select string_agg(format('%I = %L', r.name, r.value), ' and ') filter (where r.name = any (v_keys)),
           string_agg(format('%I = %L', r.name, r.value), ', ') filter (where r.name <> all (coalesce(v_keys, '{}'))),
           string_agg(format('%I', r.name), ', '), string_agg(format('%L', r.value), ', ')
      into v_match, v_sets, v_names, v_values
      from kaja.upstream_row(i_data, v_is_json) r;
    if v_op = 'T' then
        execute format('truncate %s', i_dest);
        return 'deleted';
    end if;
    if v_match is null and v_op <> 'I' then
        raise exception 'event of type % for table % names no key', left(i_type, 60), v_table;
    end if;
    if v_op = 'D' then
        execute format('delete from %s where %s', i_dest, v_match);
        get diagnostics v_rows = row_count;
        return case v_rows when 0 then 'delete_missing' else 'deleted' end;
    end if;
    if v_match is null then
        v_rows := 0;
    elsif v_sets is null then
        execute format('select count(*) from %s where %s', i_dest, v_match) into v_rows;
    else
        execute format('update %s set %s where %s', i_dest, v_sets, v_match);
        get diagnostics v_rows = row_count;
    end if;
    if v_rows = 0 then
        execute format('insert into %s (%s) overriding system value values (%s)', v_table, v_names, v_values);
        v_result := case v_op when 'I' then 'inserted' else case when i_where is null then 'update_missing' else 'inserted' end end;
    else
        v_result := case v_op when 'I' then 'insert_found' else 'updated' end;
    end if;
    if i_where is not null and v_match is not null then
        execute format('delete from %s where %s and not coalesce((%s' || chr(10) || '), false)', i_dest, v_match, i_where);
    end if;
    return v_result;
end;
$$;
