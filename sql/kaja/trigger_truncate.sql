-- Check how a trigger without row was called, and make the event of a TRUNCATE: type, data, extra1 to extra4.
-- i_format: u logutriga, s sqltriga, j jsontriga.
create or replace function kaja.trigger_truncate(
    i_format text, i_relid oid, i_schema text, i_table text, i_when text, i_op text, i_args text[]) returns text[]
language plpgsql as $$
declare
    v_arg text;
begin
    if coalesce(array_length(i_args, 1), 0) = 0 then
        raise exception 'pgq trigger must have destination queue as argument' using errcode = 'XX000';
    elsif i_op <> 'TRUNCATE' then
        raise exception 'pgq Ins/Upd/Del trigger must be fired FOR EACH ROW' using errcode = 'XX000';
    end if;
    perform kaja.trigger_args(i_args[1:]);
    foreach v_arg in array i_args[1:] loop
        if v_arg like 'ignore=%' then
            raise exception 'Column ignore does not make sense for truncate trigger' using errcode = 'XX000';
        elsif v_arg like 'pkey=%' then
            raise exception 'Custom pkey_list does not make sense for truncate trigger' using errcode = 'XX000';
        elsif v_arg = 'backup' then
            raise exception 'Backup does not make sense for truncate trigger' using errcode = 'XX000';
        elsif v_arg not in ('deny', 'SKIP') then
            raise exception 'Custom expressions do not make sense for truncater trigger' using errcode = 'XX000';
        end if;
    end loop;
    if i_when = 'AFTER' and 'SKIP' = any (i_args[1:]) then
        raise exception 'SKIP does not work in AFTER trigger.' using errcode = 'XX000';
    elsif 'deny' = any (i_args[1:]) then
        raise exception 'Table ''%'' to queue ''%'': change not allowed (%)', i_schema || '.' || i_table, i_args[0], i_op using errcode = 'XX000';
    end if;
    return array[
        case i_format when 'j' then kaja.trigger_json_type(i_op, i_schema, i_table, (kaja.trigger_relation_facts(i_relid, null))[5]::text[]) else 'R' end,
        case i_format when 'j' then '{}' else '' end, i_schema || '.' || i_table, null, null, null];
end;
$$;

-- ev_type of jsontriga.
create or replace function kaja.trigger_json_type(i_op text, i_schema text, i_table text, i_key text[]) returns text
language sql immutable as $$
    select '{"op":"' || i_op || '","table":[' || pg_catalog.to_json(i_schema) || ',' || pg_catalog.to_json(i_table) || '],"pkey":'
        || pg_catalog.array_to_json(i_key) || '}'
$$;
