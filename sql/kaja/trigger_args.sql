-- Read the arguments of a row trigger after its queue name: 1 'SKIP', 2 text of ignore=, 3 of pkey=,
-- 4 'backup', 5 'deny'; null where not given. Of repeated lists the last one counts. Error: bad param to pgq trigger.
create or replace function kaja.trigger_args(i_args text[]) returns text[]
language plpgsql immutable as $$
declare
    v_result text[] := array[null, null, null, null, null]::text[];
    v_arg    text;
begin
    foreach v_arg in array i_args loop
        if v_arg = 'SKIP' then
            v_result[1] := v_arg;
        elsif v_arg like 'ignore=%' then
            v_result[2] := substr(v_arg, 8);
        elsif v_arg like 'pkey=%' then
            v_result[3] := substr(v_arg, 6);
        elsif v_arg = 'backup' then
            v_result[4] := v_arg;
        elsif v_arg = 'deny' then
            v_result[5] := v_arg;
        elsif v_arg !~ '^(when|ev_type|ev_data|ev_extra[1-4])=' then
            raise exception 'bad param to pgq trigger' using errcode = 'XX000';
        end if;
    end loop;
    return v_result;
end;
$$;

-- Columns that a list of ignore= or pkey= names: words between commas and white space. i_odd: the table's names with commas or white
-- space in them, which are found too where the list holds them.
create or replace function kaja.trigger_columns(i_list text, i_odd text[]) returns text[]
language plpgsql immutable as $$
declare
    v_result text[] := pg_catalog.regexp_split_to_array(i_list, E'[,\\s]+');
    v_name   text;
begin
    foreach v_name in array i_odd loop
        if i_list ~ (E'(^|[,\\s])' || pg_catalog.regexp_replace(v_name, E'(\\W)', E'\\\\\\1', 'g') || E'($|[,\\s])') then
            v_result := v_result || v_name;
        end if;
    end loop;
    return v_result;
end;
$$;
