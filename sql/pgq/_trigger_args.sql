-- Read the arguments of a row trigger after its queue name: 1 'SKIP', 2 columns of ignore= as array literal, 3 text of pkey=,
-- 4 'backup', 5 'deny'; null where not given. Of repeated lists the last one counts. Error: bad param to pgq trigger.
create or replace function pgq._trigger_args(i_args text[]) returns text[]
language plpgsql immutable as $$
declare
    v_result text[] := array[null, null, null, null, null]::text[];
    v_arg    text;
begin
    foreach v_arg in array i_args loop
        if v_arg = 'SKIP' then
            v_result[1] := v_arg;
        elsif v_arg like 'ignore=%' then
            v_result[2] := pg_catalog.regexp_split_to_array(substr(v_arg, 8), '[,\s]+')::text;
        elsif v_arg like 'pkey=%' then
            v_result[3] := substr(v_arg, 6);
        elsif v_arg = 'backup' then
            v_result[4] := v_arg;
        elsif v_arg = 'deny' then
            v_result[5] := v_arg;
        elsif v_arg !~ '^(when|ev_type|ev_data|ev_extra[1-4])=' then
            raise exception 'bad param to pgq trigger';
        end if;
    end loop;
    return v_result;
end;
$$;
