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

-- The same for printable ASCII, many times faster; other characters stay. Most texts need only the first branch.
create or replace function kaja.trigger_urlencode_ascii(i_text text) returns text
language sql immutable as $$
    select case when i_text !~ '[!-$&-*;-@[-^`{-~]' then
        replace(replace(replace(replace(replace(replace(i_text, '%', '%25'), ',', '%2c'), '/', '%2f'), ':', '%3a'), '+', '%2b'), ' ', '+')
    else
        replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(
        replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(i_text, '%', '%25'), ',', '%2c'), '/', '%2f'), ':', '%3a'), '!', '%21'), '"', '%22'), '#', '%23'), '$', '%24')
        , '&', '%26'), '''', '%27'), '(', '%28'), ')', '%29'), '*', '%2a'), ';', '%3b'), '<', '%3c'), '=', '%3d'), '>', '%3e')
        , '?', '%3f'), '@', '%40'), '[', '%5b'), E'\\', '%5c'), ']', '%5d'), '^', '%5e'), '`', '%60'), '{', '%7b'), '|', '%7c')
        , '}', '%7d'), '~', '%7e'), '+', '%2b'), ' ', '+')
    end
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
