-- `select <expression>` of a trigger argument with the row's columns put in: every bare word that is exactly a column's name
-- becomes the column of $1. Text literals, comments and numbers stay. Error: QB: syntax error.
create or replace function kaja.trigger_expression(i_expression text, i_names text[]) returns text
language plpgsql immutable as $$
declare
    v_rest   text := i_expression;
    v_token  text;
    v_end    int;
    v_result text := '';
begin
    while v_rest <> '' loop
        v_token := substring(v_rest from E'^(?:''(?:[^'']|'''')*''|--[^\\n]*|[0-9][0-9.]*|[[:alpha:]_][[:alnum:]_.]*|[^''"$/\\-[:alnum:]_]+)');
        if v_token is null then
            v_token := coalesce(substring(v_rest from E'^\\$(?:[[:alpha:]_][[:alnum:]_]*)?\\$'), case when left(v_rest, 2) = '/*' then '/*' end);
            if v_token is not null then
                v_end := strpos(substr(v_rest, length(v_token) + 1), case v_token when '/*' then '*/' else v_token end);
                if v_end = 0 then
                    raise exception 'QB: syntax error' using errcode = 'XX000';
                end if;
                v_token := left(v_rest, length(v_token) + v_end - 1 + case v_token when '/*' then 2 else length(v_token) end);
            elsif left(v_rest, 1) in ('"', '''') then
                raise exception 'QB: syntax error' using errcode = 'XX000';
            else
                v_token := left(v_rest, 1);
            end if;
        end if;
        v_rest := substr(v_rest, length(v_token) + 1);
        v_result := v_result || case when v_token = any (i_names) then pg_catalog.format('($1).%I', v_token) else v_token end;
    end loop;
    return v_result;
end;
$$;

-- Apply the arguments ev_*= and when= to an event (type, data, extra1 to extra4). i_row: the row whose columns they name.
-- Returns the event, or null if when= says no. Of repeated arguments the first one counts.
create or replace function kaja.trigger_override(i_event text[], i_args text[], i_row anyelement) returns text[]
language plpgsql stable as $$
declare
    v_fields constant text[] := array['ev_type', 'ev_data', 'ev_extra1', 'ev_extra2', 'ev_extra3', 'ev_extra4', 'when'];
    v_names  text[];
    v_arg    text;
    v_type   text;
    v_value  text;
    v_null   boolean;
    v_count  int;
    v_keep   boolean := true;
begin
    for v_field in 1 .. 7 loop
        v_arg := null;
        select a.arg into v_arg from unnest(i_args) with ordinality as a (arg, n)
         where left(a.arg, length(v_fields[v_field]) + 1) = v_fields[v_field] || '=' order by a.n limit 1;
        continue when v_arg is null;
        v_names := coalesce(v_names, array(select pg_catalog.json_object_keys(pg_catalog.row_to_json(i_row))));
        -- format prints a value with its type's output function; a cast would print booleans as true and false.
        execute 'select pg_catalog.format(''%s'', x."kaja value"), x."kaja value" is null,'
                ' pg_catalog.pg_typeof(x."kaja value")::oid::text from (select '
                || kaja.trigger_expression(substr(v_arg, strpos(v_arg, '=') + 1), v_names) || E'\n) x ("kaja value")'
           into v_value, v_null, v_type using i_row;
        get diagnostics v_count = row_count;
        if v_count <> 1 then
            raise exception 'Expect 1 row from override query, got %', v_count using errcode = 'XX000';
        elsif v_field < 7 then
            i_event[v_field] := case when v_null then null else v_value end;
        elsif v_type <> '16' then
            raise exception 'when= query result must be boolean, got=%', v_type using errcode = 'XX000';
        elsif v_null then
            raise exception 'when= should not be NULL' using errcode = 'XX000';
        else
            v_keep := v_value = 't';
        end if;
    end loop;
    return case when v_keep then i_event end;
end;
$$;
