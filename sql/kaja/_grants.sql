-- Rights in schema kaja: what readers, tickers and copies of a queue call. Functions not named here are for the owner and pgq_admin.
-- Trigger functions keep the server's default: who attaches a partition needs the right to the ones its table has.
-- pgq.batch_event_sql and others of PgQ's own functions run some of these with the caller's rights.
do $$
declare
    v_reader constant text[] := array['next_batch', 'take_batch', 'event_range_sql', 'event_union_sql', 'reach_tick', 'queue_event_tables', 'retry_events', 'bury_events',
        'replay_dead_letters', 'delete_dead_letters', 'get_retry_events'];
    v_writer constant text[] := array['insert_events'];
    v_owner constant text[] := array['queue_insert_tick', 'queue_snapshot', 'queue_holds_events', 'generate_put_event'];
    -- What pgq's trigger functions call: whoever changes a table runs them. They change nothing and show nothing of others.
    v_public constant text[] := array['queue_event_seq', 'trigger_any_row', 'trigger_args', 'trigger_columns', 'trigger_equal', 'trigger_equality', 'trigger_expression',
        'trigger_json_classes', 'trigger_json_data', 'trigger_json_row', 'trigger_json_type', 'trigger_marked_values', 'trigger_override',
        'trigger_quick_facts', 'trigger_quick_j', 'trigger_quick_s', 'trigger_quick_u', 'trigger_read_facts', 'trigger_read_quick_facts',
        'trigger_relation_facts', 'trigger_row', 'trigger_row_values', 'trigger_same_key', 'trigger_same_value', 'trigger_sql_insert',
        'trigger_table', 'trigger_truncate', 'trigger_unmark', 'trigger_urlencode', 'trigger_urlencode_ascii', 'trigger_urlencode_rest',
        'trigger_urlencode_row', 'trigger_urlencode_values'];
    v_grant record;
begin
    grant usage on schema kaja to public;
    for v_grant in
        select format('revoke all on function %s from public', p.oid::regprocedure) as statement
          from pg_catalog.pg_proc p
         where p.pronamespace = 'kaja'::regnamespace and p.prorettype <> 'trigger'::regtype
        union all
        select format('grant execute on function %s to %s', p.oid::regprocedure, g.grantee)
          from (values ('public', v_public), ('pgq_reader', v_reader), ('pgq_writer', v_writer), ('pgq_admin', null)) g(grantee, names)
          join pg_catalog.pg_proc p on p.pronamespace = 'kaja'::regnamespace and p.prorettype <> 'trigger'::regtype
           and coalesce(p.proname = any (g.names), p.proname <> all (v_owner) and p.proname !~ '^_?put_event')
         where g.grantee = 'public' or exists (select 1 from pg_catalog.pg_roles r where r.rolname = g.grantee)
    loop
        execute v_grant.statement;
    end loop;
    -- A subscriber reads shapes and captured keys from its provider; node administrators keep the apply state.
    for v_grant in
        select format('grant %s on kaja.%I to %I', g.rights, g.name, r.rolname) as statement
          from (values ('select', 'shape', 'pgq_reader'), ('select', 'capture', 'pgq_reader'), ('select', 'shape', 'pgq_admin'), ('select', 'capture', 'pgq_admin'),
                       ('select', 'dead_letter', 'pgq_reader'), ('select', 'dead_letter', 'pgq_admin'),
                       ('select', 'table_copy', 'pgq_reader'), ('select', 'table_stats', 'pgq_reader'), ('select', 'table_version', 'pgq_reader'),
                       ('select', 'compare_run', 'pgq_reader'), ('select', 'compare_table', 'pgq_reader'), ('select', 'job', 'pgq_reader'), ('select', 'job_run', 'pgq_reader')) g(rights, name, grantee)
          join pg_catalog.pg_roles r on r.rolname = g.grantee
          join pg_catalog.pg_class c on c.relname = g.name and c.relnamespace = 'kaja'::regnamespace
    loop
        execute v_grant.statement;
    end loop;
end;
$$;

-- Captured tables get functions of this version. Those that another role made are left to its next call of kaja.refresh_captures.
do $$
begin
    if to_regclass('kaja.capture') is not null then
        perform kaja.generate_capture(c.capture_id, c.relid)
           from kaja.capture c
          where exists (select from pg_catalog.pg_class r where r.oid = c.relid) and exists (select from pgq.queue q where q.queue_name = c.queue_name)
            and not exists (select from pg_catalog.pg_proc p
                             where p.pronamespace = 'kaja'::regnamespace and p.proname like format('capture\_%s\_%%', c.capture_id)
                               and not pg_catalog.pg_has_role(p.proowner, 'usage'));
    end if;
end;
$$;
