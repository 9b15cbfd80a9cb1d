-- The columns of a row from its text form `row::text`, each as its type's output function printed it; null for NULL.
-- Faster than dynamic SQL on the row, and it needs no column names.
create or replace function kaja.trigger_row_values(i_row text) returns text[]
language plpgsql immutable strict as $$
declare
    v_values text[];
    v_piece  text;
    v_open   text;    -- a quoted value whose end was not seen yet
    v_result text[] := '{}';
begin
    v_values := string_to_array(substr(i_row, 2, length(i_row) - 2), ',', '');
    if strpos(i_row, '"') = 0 then
        return case when v_values = '{}' then array[null::text] else v_values end;
    end if;
    foreach v_piece in array v_values loop
        if v_open is not null then
            v_open := v_open || ',' || coalesce(v_piece, '');
        elsif strpos(v_piece, '"') = 1 then
            v_open := v_piece;
        else
            v_result := v_result || v_piece;
            continue;
        end if;
        -- Quotes inside a value are doubled: the value is whole when their number is even.
        if (length(v_open) - length(replace(v_open, '"', ''))) % 2 = 0 then
            v_result := v_result || replace(replace(substr(v_open, 2, length(v_open) - 2), '""', '"'), E'\\\\', E'\\');
            v_open := null;
        end if;
    end loop;
    return v_result;
end;
$$;
