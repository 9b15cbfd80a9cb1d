-- Encode a text as PgQ does: A-Z a-z 0-9 _ . - stay, a space becomes +, other bytes of the server encoding %xx in lower case.
create or replace function kaja.trigger_urlencode(i_text text) returns text
language plpgsql immutable strict as $$
begin
    if i_text ~ '^[A-Za-z0-9_.-]*$' then
        return i_text;
    elsif i_text !~ '[^ -~]' then
        return kaja.trigger_urlencode_ascii(i_text);
    end if;
    return (select pg_catalog.string_agg(
                coalesce(r.m[1], replace(pg_catalog.regexp_replace(
                    pg_catalog.encode(pg_catalog.convert_to(r.m[2], pg_catalog.getdatabaseencoding()), 'hex'), '(..)', E'%\\1', 'g'), '%20', '+')),
                '' order by r.n)
              from pg_catalog.regexp_matches(i_text, '([A-Za-z0-9_.-]+)|([^A-Za-z0-9_.-]+)', 'g') with ordinality as r (m, n));
end;
$$;

-- The same for printable ASCII, many times faster; other characters stay. Few texts need more than the first branch.
create or replace function kaja.trigger_urlencode_ascii(i_text text) returns text
language plpgsql immutable as $$
declare
    v_text text := replace(replace(replace(replace(replace(replace(i_text, '%', '%25'), ',', '%2c'), '/', '%2f'), ':', '%3a'), '+', '%2b'), ' ', '+');
begin
    if i_text !~ '[!-$&-*;-@[-^`{-~]' then
        return v_text;
    end if;
    v_text := replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(v_text, '!', '%21'), '"', '%22')
        , '&', '%26'), '''', '%27'), '(', '%28'), ')', '%29'), ';', '%3b'), '=', '%3d'), '?', '%3f'), '@', '%40'), '{', '%7b'), '}', '%7d');
    if i_text !~ E'[#$*<>[-^`|~]' then
        return v_text;
    end if;
    return replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(v_text, '#', '%23'), '$', '%24'), '*', '%2a')
        , '<', '%3c'), '>', '%3e'), '[', '%5b'), E'\\', '%5c'), ']', '%5d'), '^', '%5e'), '`', '%60'), '|', '%7c'), '~', '%7e');
end;
$$;

-- What kaja.trigger_urlencode_ascii leaves, but for the characters \x01 and \x02.
create or replace function kaja.trigger_urlencode_rest(i_text text) returns text
language plpgsql immutable as $$
begin
    return (select pg_catalog.string_agg(
                coalesce(r.m[1], pg_catalog.regexp_replace(
                    pg_catalog.encode(pg_catalog.convert_to(r.m[2], pg_catalog.getdatabaseencoding()), 'hex'), '(..)', E'%\\1', 'g')), '' order by r.n)
              from pg_catalog.regexp_matches(i_text, E'([ -~\x01\x02]+)|([^ -~\x01\x02]+)', 'g') with ordinality as r (m, n));
end;
$$;

-- A row as `name=value&name=value`, NULL as `name`. i_without: columns to leave out, null for none.
create or replace function kaja.trigger_urlencode_row(i_names text[], i_values text[], i_without text[]) returns text
language plpgsql immutable as $$
declare
    -- Printable rows are encoded at once, the separators standing in as control characters.
    v_plain  boolean := pg_catalog.array_to_string(i_names || i_values, '') !~ '[^ -~]';
    v_result text := '';
    v_name   text;
    v_value  text;
    v_index  int := 0;
begin
    foreach v_name in array i_names loop
        v_index := v_index + 1;
        continue when v_name = any (i_without);
        v_value := i_values[v_index];
        if v_plain then
            v_result := v_result || coalesce(E'\x02' || v_name || E'\x01' || v_value, E'\x02' || v_name);
        else
            v_result := v_result || '&' || coalesce(kaja.trigger_urlencode(v_name) || '=' || kaja.trigger_urlencode(v_value), kaja.trigger_urlencode(v_name));
        end if;
    end loop;
    if v_plain then
        return pg_catalog.translate(kaja.trigger_urlencode_ascii(substr(v_result, 2)), E'\x01\x02', '=&');
    end if;
    return substr(v_result, 2);
end;
$$;
