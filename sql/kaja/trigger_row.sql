-- The event of one changed row: type, data, extra1 to extra4; null if there is nothing to log.
--   i_format   u logutriga, s sqltriga, j jsontriga
--   i_args     all trigger arguments from index 0, the queue name
--   i_names    names of the row's columns
--   i_row, i_json   the new row, of a DELETE the old one: as record text and as JSON
--   i_old, i_old_json   of an UPDATE the old row
-- Errors: with the messages of PgQ's C triggers. Reads the catalog once per statement, not per row.
create or replace function kaja.trigger_row(
    i_format text, i_relid oid, i_schema text, i_table text, i_when text, i_op text, i_args text[], i_names text[],
    i_row text, i_json json, i_old text, i_old_json json) returns text[]
language plpgsql as $$
declare
    v_facts   text[] := kaja.trigger_relation_facts(i_relid, i_names);
    v_args    text[];
    v_ignore  text[];
    v_without text[];   -- ignored and magic columns
    v_pkey    text := v_facts[4];
    v_key     text[];
    v_is_key  boolean;
    v_values  text[] := kaja.trigger_row_values(i_row);
    v_old     text[];
    v_event   text[] := array[null, null, i_schema || '.' || i_table, null, null, null];
    v_changes text := '';
    v_where   text := '';
    v_changed boolean := false;
    v_ignored boolean := false;
    v_first   int;      -- first key column in the order of the table
    v_name    text;
    v_index   int := 0;
begin
    if array_length(i_args, 1) > 1 then
        v_args := kaja.trigger_args(i_args[1:]);
        v_ignore := kaja.trigger_columns(v_args[2], v_facts[6]::text[]);
        v_without := v_ignore;
        v_pkey := coalesce(v_args[3], v_pkey);
    end if;
    if i_op <> 'INSERT' and v_pkey = '' then
        raise exception 'Update/Delete on table without pkey' using errcode = 'XX000';
    elsif v_args[1] is not null and i_when = 'AFTER' then
        raise exception 'SKIP does not work in AFTER trigger.' using errcode = 'XX000';
    elsif v_args[5] is not null then
        raise exception 'Table ''%'' to queue ''%'': change not allowed (%)', v_event[3], i_args[0], i_op
            using errcode = 'XX000';
    end if;
    v_key := case when v_args[3] is null then v_facts[5]::text[] else kaja.trigger_columns(v_pkey, v_facts[6]::text[]) end;
    if strpos(v_facts[1], '_pgq_ev_') > 0 then
        foreach v_name in array i_names loop
            continue when left(v_name, 8) <> '_pgq_ev_';
            if v_name !~ '^_pgq_ev_(type|data|extra[1-4])$' then
                raise exception 'Unknown magic column: %', v_name using errcode = 'XX000';
            end if;
            v_without := v_without || v_name;
            v_key := array_remove(v_key, v_name);
        end loop;
    end if;

    if i_op = 'UPDATE' then
        v_old := kaja.trigger_row_values(i_old);
        -- Every column is looked at: a key that changed is an error wherever it stands.
        foreach v_name in array i_names loop
            v_index := v_index + 1;
            v_is_key := v_name = any (v_key);
            if i_format = 's' and v_is_key then
                -- With a null it is null, and an error unless there is nothing to log.
                v_where := v_where || ' and ' || pg_catalog.quote_ident(v_name) || '=' || pg_catalog.quote_literal(v_old[v_index]);
                v_first := coalesce(v_first, v_index);
            end if;
            continue when v_values[v_index] collate "C" is not distinct from v_old[v_index] collate "C";
            continue when kaja.trigger_same_value(i_relid, v_name, substr(v_facts[3], v_index, 1), v_old[v_index], v_values[v_index]);
            if v_is_key then
                raise exception 'primary key update not allowed' using errcode = 'XX000';
            elsif v_name = any (v_without) then
                v_ignored := v_ignored or v_name = any (v_ignore) or v_ignore is not null;
            else
                v_changed := true;
                if i_format = 's' then
                    v_changes := v_changes || ',' || pg_catalog.quote_ident(v_name) || '='
                              || coalesce(pg_catalog.quote_literal(v_values[v_index]), 'NULL');
                end if;
            end if;
        end loop;
        if v_ignored and not v_changed then
            return null;
        elsif v_where is null then
            raise exception 'logtriga: Unexpected NULL key value' using errcode = 'XX000';
        end if;
        if i_format = 's' and not v_changed and v_first is not null then
            v_changes := ',' || pg_catalog.quote_ident(i_names[v_first]) || '=' || pg_catalog.quote_literal(v_old[v_first]);
        end if;
        if v_args[4] is not null then
            v_event[4] := case i_format when 'j' then kaja.trigger_json_row(i_names, v_old, v_facts[2], i_old_json, v_without)
                                        else kaja.trigger_urlencode_row(i_names, v_old, v_without) end;
        end if;
    elsif i_op = 'DELETE' and i_format = 's' then
        foreach v_name in array i_names loop
            v_index := v_index + 1;
            continue when v_name <> all (v_key);
            if v_values[v_index] is null then
                raise exception 'logtriga: Unexpected NULL key value' using errcode = 'XX000';
            end if;
            v_where := v_where || ' and ' || pg_catalog.quote_ident(v_name) || '=' || pg_catalog.quote_literal(v_values[v_index]);
        end loop;
    end if;

    if i_format = 'u' then
        v_event[1] := left(i_op, 1) || ':' || v_pkey;
        v_event[2] := kaja.trigger_urlencode_row(i_names, v_values, v_without);
    elsif i_format = 'j' then
        v_event[1] := kaja.trigger_json_type(i_op, i_schema, i_table,
                                     case when v_args[3] is null then v_facts[5]::text[] else pg_catalog.string_to_array(v_pkey, ',') end);
        v_event[2] := kaja.trigger_json_row(i_names, v_values, v_facts[2], i_json, v_without);
    else
        v_event[1] := left(i_op, 1);
        v_event[2] := case i_op when 'INSERT' then kaja.trigger_sql_insert(i_names, v_values, v_without)
                                when 'UPDATE' then substr(v_changes, 2) || ' where ' || substr(v_where, 6)
                                else substr(v_where, 6) end;
    end if;

    if strpos(v_facts[1], '_pgq_ev_') > 0 then
        v_index := 0;
        foreach v_name in array i_names loop
            v_index := v_index + 1;
            if left(v_name, 8) = '_pgq_ev_' then
                v_event[pg_catalog.array_position(array['type', 'data', 'extra1', 'extra2', 'extra3', 'extra4'], substr(v_name, 9))] := v_values[v_index];
            end if;
        end loop;
    end if;
    return v_event;
end;
$$;

-- The same from the rows themselves. i_new: of a DELETE the old row; i_old: of an UPDATE the old row.
create or replace function kaja.trigger_any_row(
    i_format text, i_relid oid, i_schema text, i_table text, i_when text, i_op text, i_args text[], i_new anyelement, i_old anyelement) returns text[]
language plpgsql as $$
declare
    v_json json := pg_catalog.row_to_json(i_new);
begin
    return kaja.trigger_row(i_format, i_relid, i_schema, i_table, i_when, i_op, i_args, array(select pg_catalog.json_object_keys(v_json)),
                            i_new::text, v_json, i_old::text, pg_catalog.row_to_json(i_old));
end;
$$;

-- A row in sqltriga's form of an INSERT: `(a,b) values ('1',null)`.
create or replace function kaja.trigger_sql_insert(i_names text[], i_values text[], i_without text[]) returns text
language plpgsql stable as $$
declare
    v_columns text := '';
    v_data    text := '';
    v_name    text;
    v_index   int := 0;
begin
    foreach v_name in array i_names loop
        v_index := v_index + 1;
        continue when v_name = any (i_without);
        v_columns := v_columns || ',' || pg_catalog.quote_ident(v_name);
        v_data := v_data || ',' || coalesce(pg_catalog.quote_literal(i_values[v_index]), 'null');
    end loop;
    return '(' || substr(v_columns, 2) || ') values (' || substr(v_data, 2) || ')';
end;
$$;
