-- last_value of a sequence; 1 for one that was never used.
-- i_seq_name: schema.name. Error: 42P01 if it does not exist.
create or replace function pgq.seq_getval(i_seq_name text) returns bigint
language plpgsql strict as $$
declare
    v_value bigint;
begin
    execute format('select s.last_value from %s s', pgq.quote_fqname(i_seq_name)) into v_value;
    return v_value;
end;
$$;
