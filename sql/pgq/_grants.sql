-- Roles and rights of schema pgq. Functions not named here are executable by the owner only.
do $$
declare
    v_reader constant text[] := array['batch_event_sql', '_batch_sql', 'batch_event_tables', 'find_tick_helper', 'register_consumer',
        'register_consumer_at', 'unregister_consumer', 'next_batch', 'next_batch_info', 'next_batch_custom', 'get_batch_events',
        'get_batch_info', 'get_batch_cursor', 'event_retry', 'batch_retry', 'force_tick', 'finish_batch'];
    v_writer constant text[] := array['insert_event', 'current_event_table', 'jsontriga', 'sqltriga', 'logutriga'];
    v_admin constant text[] := array['ticker', 'maint_retry_events', 'maint_rotate_tables_step1', 'maint_rotate_tables_step2',
        'maint_tables_to_vacuum', 'maint_operations', 'upgrade_schema', '_create_roles', 'grant_perms', '_grant_perms_from', 'tune_storage',
        'seq_setval', 'create_queue', 'drop_queue', 'set_queue_config', 'insert_event_raw', 'event_retry_raw'];
    v_public constant text[] := array['seq_getval', 'get_queue_info', 'get_consumer_info', 'quote_fqname', 'version'];
    v_grant record;
begin
    perform pgq._create_roles();

    revoke all on all functions in schema pgq from public;
    revoke all on pgq.queue, pgq.consumer, pgq.tick, pgq.subscription, pgq.event_template, pgq.retry_queue from public;
    grant usage on schema pgq to public;
    grant select on pgq.consumer, pgq.queue, pgq.tick, pgq.subscription to public;

    for v_grant in
        select format('grant execute on function %s to %s', p.oid::regprocedure, g.grantee) as statement
          from (values ('public', v_public), ('pgq_reader', v_reader), ('pgq_writer', v_writer), ('pgq_admin', v_admin)) g(grantee, names)
          join pg_catalog.pg_proc p on p.proname = any (g.names) and p.pronamespace = 'pgq'::regnamespace
         where g.grantee = 'public' or exists (select 1 from pg_catalog.pg_roles r where r.rolname = g.grantee)
    loop
        execute v_grant.statement;
    end loop;

    for v_grant in
        select format('grant %s on %s to %s', g.privileges, g.tables, g.grantee) as statement
          from (values ('pgq_reader', 'select', 'pgq.consumer, pgq.queue, pgq.tick, pgq.subscription, pgq.event_template'),
                       ('pgq_admin', 'select, insert, update, delete', 'pgq.consumer, pgq.queue, pgq.tick, pgq.subscription, pgq.retry_queue'),
                       ('pgq_admin', 'select, insert, truncate', 'pgq.event_template')) g(grantee, privileges, tables)
         where exists (select 1 from pg_catalog.pg_roles r where r.rolname = g.grantee)
    loop
        execute v_grant.statement;
    end loop;
    -- Queues that were created before the roles.
    perform pgq.grant_perms(q.queue_name) from pgq.queue q;
end;
$$;
