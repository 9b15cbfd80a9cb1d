-- The quick ways to the event of one changed row, for tables and triggers as kaja.trigger_quick_facts describes them. Each returns the
-- event as kaja.trigger_row does: type, data, extra1 to extra4; or null for what only kaja.trigger_row knows: errors, rows that need no event,
-- texts with control characters, other isolation levels than READ COMMITTED. They loop over columns only where nothing else will do.
--   i_new   the new row, of a DELETE the old one; i_old: of an UPDATE the old row

create or replace function kaja.trigger_quick_u(i_relid oid, i_schema text, i_table text, i_op text, i_new anyelement, i_old anyelement) returns text[]
language plpgsql stable as $$
declare
    v_facts  text[];
    v_values text[];
    v_backup text;
begin
    if pg_catalog.current_setting('transaction_isolation') <> 'read committed' then
        return null;
    end if;
    v_facts := case when i_relid = kaja.trigger_table(case when false then i_new end) then kaja.trigger_quick_facts(case when false then i_new end, 'u') end;
    v_values := kaja.trigger_marked_values(i_new::text, v_facts[1]::int);
    if v_values is null or i_op <> 'INSERT' and v_facts[2] = '' then
        return null;
    elsif i_op = 'UPDATE' then
        if v_facts[7] is not null or not kaja.trigger_same_key(v_facts, i_new::text, i_old::text) then
            return null;
        elsif v_facts[6] is not null then
            v_backup := kaja.trigger_urlencode_values(v_facts[3], kaja.trigger_marked_values(i_old::text, v_facts[1]::int));
            if v_backup is null then
                return null;
            end if;
        end if;
    end if;
    return array[left(i_op, 1) || ':' || v_facts[2], kaja.trigger_urlencode_values(v_facts[3], v_values), i_schema || '.' || i_table, v_backup, null, null];
end;
$$;

create or replace function kaja.trigger_quick_s(i_relid oid, i_schema text, i_table text, i_op text, i_new anyelement, i_old anyelement) returns text[]
language plpgsql stable as $$
declare
    v_facts   text[];
    v_values  text[];
    v_old     text[];
    v_class   text;
    v_changes text := '';
    v_same    boolean := true;
    v_equal   boolean;
    v_place   int;
begin
    if pg_catalog.current_setting('transaction_isolation') <> 'read committed' or pg_catalog.current_setting('quote_all_identifiers') <> 'off' then
        return null;
    end if;
    v_facts := case when i_relid = kaja.trigger_table(case when false then i_new end) then kaja.trigger_quick_facts(case when false then i_new end, 's') end;
    v_values := kaja.trigger_marked_values(i_new::text, v_facts[1]::int);
    if v_values is null then
        return null;
    elsif i_op = 'INSERT' then
        return array['I', kaja.trigger_unmark(replace(pg_catalog.format(v_facts[3], variadic pg_catalog.array_replace(v_values, null, E'\x03')), E'\'\x03\'', 'null')),
                     i_schema || '.' || i_table, null, null, null];
    elsif v_facts[6] is not null or v_facts[9] is null then
        return null;
    end if;

    v_old := case when i_op = 'UPDATE' then kaja.trigger_marked_values(i_old::text, v_facts[1]::int) else v_values end;
    if v_old is null then
        return null;
    end if;
    foreach v_place in array v_facts[4]::int[] loop
        if v_old[v_place] is null or v_values[v_place] is null or v_old[v_place] <> v_values[v_place] collate "C" then
            return null;
        end if;
    end loop;
    if i_op = 'DELETE' then
        return array['D', kaja.trigger_unmark(pg_catalog.format(v_facts[9], variadic v_old)), i_schema || '.' || i_table, null, null, null];
    end if;

    for v_place in 1 .. v_facts[1]::int loop
        continue when v_values[v_place] collate "C" is not distinct from v_old[v_place] collate "C";
        v_same := false;
        v_class := substr(v_facts[8], v_place, 1);
        continue when v_class = ' ';
        if v_class = 'o' and v_values[v_place] is not null and v_old[v_place] is not null then
            v_equal := kaja.trigger_equal(v_facts[9 + v_facts[1]::int + v_place], kaja.trigger_unmark(v_old[v_place]), kaja.trigger_unmark(v_values[v_place]));
        else
            v_equal := v_class not in ('x', 'o') and kaja.trigger_same_value(null, null, v_class, v_old[v_place], v_values[v_place]);
        end if;
        if not v_equal then
            v_changes := v_changes || ',' || v_facts[9 + v_place] || '=' || coalesce(pg_catalog.quote_literal(v_values[v_place]), 'NULL');
        end if;
    end loop;
    if v_same then
        v_place := (v_facts[4]::int[])[1];
        v_changes := ',' || v_facts[9 + v_place] || '=' || pg_catalog.quote_literal(v_old[v_place]);
    elsif v_changes = '' then
        return null;
    end if;
    return array['U', kaja.trigger_unmark(substr(v_changes, 2) || ' where ' || pg_catalog.format(v_facts[9], variadic v_old)),
                 i_schema || '.' || i_table, null, null, null];
end;
$$;

create or replace function kaja.trigger_quick_j(i_relid oid, i_schema text, i_table text, i_op text, i_new anyelement, i_old anyelement) returns text[]
language plpgsql stable as $$
declare
    v_facts  text[];
    v_data   text;
    v_backup text;
begin
    if pg_catalog.current_setting('transaction_isolation') <> 'read committed' then
        return null;
    end if;
    v_facts := case when i_relid = kaja.trigger_table(case when false then i_new end) then kaja.trigger_quick_facts(case when false then i_new end, 'j') end;
    if v_facts is null or i_op <> 'INSERT' and v_facts[2] = '[]' then
        return null;
    elsif i_op = 'UPDATE' then
        if v_facts[7] is not null or not kaja.trigger_same_key(v_facts, i_new::text, i_old::text) then
            return null;
        elsif v_facts[6] is not null then
            v_backup := kaja.trigger_json_data(v_facts, i_old);
            if v_backup is null then
                return null;
            end if;
        end if;
    end if;
    v_data := kaja.trigger_json_data(v_facts, i_new);
    if v_data is null then
        return null;
    end if;
    return array['{"op":"' || i_op || '","table":[' || pg_catalog.to_json(i_schema) || ',' || pg_catalog.to_json(i_table) || '],"pkey":' || v_facts[2] || '}', v_data,
                 i_schema || '.' || i_table, v_backup, null, null];
end;
$$;

-- Have two rows the same key, judged by text? i_facts: of kaja.trigger_quick_facts; i_new, i_old: the rows' texts. False means maybe.
create or replace function kaja.trigger_same_key(i_facts text[], i_new text, i_old text) returns boolean
language plpgsql immutable as $$
declare
    v_new   text[];
    v_old   text[];
    v_place int;
begin
    -- A first column that is not quoted ends at the first comma.
    if i_facts[5] is not null and left(i_new, 2) <> '("' and split_part(i_new, ',', 1) = split_part(i_old, ',', 1) collate "C" then
        return true;
    end if;
    v_new := kaja.trigger_marked_values(i_new, i_facts[1]::int);
    v_old := kaja.trigger_marked_values(i_old, i_facts[1]::int);
    if v_new is null or v_old is null then
        return false;
    end if;
    foreach v_place in array i_facts[4]::int[] loop
        if v_new[v_place] collate "C" is distinct from v_old[v_place] collate "C" then
            return false;
        end if;
    end loop;
    return true;
end;
$$;

-- ev_data of logutriga. i_pattern: see 3 of kaja.trigger_quick_facts; i_values: of kaja.trigger_marked_values.
create or replace function kaja.trigger_urlencode_values(i_pattern text, i_values text[]) returns text
language plpgsql immutable strict as $$
declare
    v_text text := kaja.trigger_urlencode_ascii(replace(pg_catalog.format(i_pattern, variadic pg_catalog.array_replace(i_values, null, E'\x03')), E'\x01\x03', ''));
begin
    v_text := replace(replace(v_text, E'\x04', '%22'), E'\x06', '%2c');
    if v_text ~ E'[^ -~\x01\x02]' then
        v_text := kaja.trigger_urlencode_rest(v_text);
    end if;
    return replace(replace(v_text, E'\x01', '='), E'\x02', '&');
end;
$$;

-- ev_data of jsontriga for a row that row_to_json does not print quite as it should; null for rows that kaja.trigger_marked_values refuses.
create or replace function kaja.trigger_json_data(i_facts text[], i_row anyelement) returns text
language plpgsql stable as $$
declare
    v_values text[];
    v_texts  text[];
    v_text   boolean := false;    -- a jsonb is NULL or holds null: only the row's text tells
    v_place  int;
begin
    if i_facts[3] is null then
        return pg_catalog.row_to_json(i_row)::text;
    end if;
    v_values := array(select c.value::text from pg_catalog.json_each(pg_catalog.row_to_json(i_row)) as c);
    foreach v_place in array i_facts[8]::int[] loop
        if left(v_values[v_place], 1) not in ('"', 'n') then
            v_values[v_place] := '"' || v_values[v_place] || '"';
        end if;
    end loop;
    foreach v_place in array i_facts[10]::int[] loop
        if v_values[v_place] = 'null' then
            v_text := true;
        else
            v_values[v_place] := pg_catalog.to_json(v_values[v_place])::text;
        end if;
    end loop;
    if v_text or i_facts[9] <> '{}' then
        v_texts := kaja.trigger_marked_values(i_row::text, i_facts[1]::int);
        if v_texts is null then
            return null;
        end if;
        foreach v_place in array (i_facts[9]::int[] || case when v_text then i_facts[10]::int[] end) loop
            v_values[v_place] := coalesce(pg_catalog.to_json(kaja.trigger_unmark(v_texts[v_place]))::text, 'null');
        end loop;
    end if;
    return pg_catalog.format(i_facts[3], variadic v_values);
end;
$$;
