-- Bring tables of an older pgq_node to this version: adds node_info.node_attrs.
-- Result: number of changes made.
create or replace function pgq_node.upgrade_schema() returns int4
language plpgsql as $$
declare
    v_changes int4 := 0;
begin
    if not exists (select from pg_catalog.pg_attribute a
                    where a.attrelid = 'pgq_node.node_info'::pg_catalog.regclass and a.attname = 'node_attrs'
                      and not a.attisdropped) then
        alter table pgq_node.node_info add column node_attrs text;
        v_changes := v_changes + 1;
    end if;
    return v_changes;
end;
$$;
