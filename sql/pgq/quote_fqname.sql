-- Quote a "schema.name": the first dot splits, no dot means schema public.
create or replace function pgq.quote_fqname(i_name text) returns text
language plpgsql strict immutable as $$
declare
    v_dot int := position('.' in i_name);
begin
    if v_dot = 0 then
        return 'public.' || quote_ident(i_name);
    end if;
    return quote_ident(left(i_name, v_dot - 1)) || '.' || quote_ident(substr(i_name, v_dot + 1));
end;
$$;
