-- A row as JSON object in jsontriga's form. i_classes: one character per column, see kaja.trigger_relation_facts; i_json: the row as
-- row_to_json prints it, which has dates and times right whatever DateStyle is; i_without: columns to leave out, null for none.
create or replace function kaja.trigger_json_row(i_names text[], i_values text[], i_classes text, i_json json, i_without text[]) returns text
language plpgsql stable as $$
declare
    v_result text := '';
    v_name   text;
    v_value  text;
    v_class  text;
    v_index  int := 0;
begin
    foreach v_name in array i_names loop
        v_index := v_index + 1;
        continue when v_name = any (i_without);
        v_value := i_values[v_index];
        if v_value is null then
            v_value := 'null';
        else
            v_class := substr(i_classes, v_index, 1);
            if v_class = 's' then
                v_value := pg_catalog.to_json(v_value)::text;
            elsif v_class = 'b' then
                v_value := case v_value when 't' then 'true' else 'false' end;
            elsif v_class = 't' then
                v_value := (i_json -> v_name)::text;
            end if;
        end if;
        v_result := v_result || ',' || pg_catalog.to_json(v_name)::text || ':' || v_value;
    end loop;
    return '{' || substr(v_result, 2) || '}';
end;
$$;
