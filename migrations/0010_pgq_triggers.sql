-- schema: pgq
-- The private helpers of the trigger functions moved to schema kaja, so that everybody may call in schema pgq what PgQ lets him, and no more.

do $$
declare
    v_function record;
begin
    for v_function in
        select p.oid::pg_catalog.regprocedure as signature
          from pg_catalog.pg_proc p
         where p.pronamespace = 'pgq'::pg_catalog.regnamespace
           and p.proname in ('_row_values', '_urlencode', '_urlencode_ascii', '_urlencode_row', '_json_row', '_json_type', '_sql_insert',
                             '_relation_facts', '_same_value', '_trigger_args', '_trigger_expression', '_trigger_override',
                             '_trigger_row', '_trigger_truncate')
    loop
        execute pg_catalog.format('drop function %s', v_function.signature);
    end loop;
end;
$$;
