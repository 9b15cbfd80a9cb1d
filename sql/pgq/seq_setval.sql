-- Raise a sequence to i_new_value; never lowers it. Returns its value afterwards.
create or replace function pgq.seq_setval(i_seq_name text, i_new_value bigint) returns bigint
language plpgsql strict as $$
declare
    v_used bigint;
begin
    execute format('select case when s.is_called then s.last_value else s.last_value - 1 end from %s s',
                   pgq.quote_fqname(i_seq_name)) into v_used;
    if i_new_value > v_used then
        return setval(pgq.quote_fqname(i_seq_name)::regclass, i_new_value);
    end if;
    return pgq.seq_getval(i_seq_name);
end;
$$;
