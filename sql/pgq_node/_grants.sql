-- Permissions of schema pgq_node. Grants go to those of pgq's roles that exist; nothing but the functions named for
-- PUBLIC can be called by everybody.

do $$
declare
    -- role -> functions it may call; pgq_admin inherits the others
    v_reader text[] := array['get_node_info', 'get_queue_locations', 'register_subscriber', 'unregister_subscriber',
                             'set_subscriber_watermark', 'get_subscriber_info', 'get_consumer_info', 'get_consumer_state'];
    v_writer text[] := array['register_consumer', 'unregister_consumer', 'change_consumer_provider',
                             'set_consumer_uptodate', 'set_consumer_paused', 'set_consumer_completed', 'set_consumer_error'];
    v_public text[] := array['is_root_node', 'is_leaf_node', 'version'];
    v_roles  text[] := array(select r.rolname::text from pg_catalog.pg_roles r
                              where r.rolname in ('pgq_reader', 'pgq_writer', 'pgq_admin'));
    v_role   text;
    v_func   record;
begin
    grant usage on schema pgq_node to public;
    revoke all on all tables in schema pgq_node from public;
    foreach v_role in array v_roles loop
        execute format('revoke all on all tables in schema pgq_node from %I', v_role);
        execute format('revoke all on all functions in schema pgq_node from %I', v_role);
        execute format('grant %s on all tables in schema pgq_node to %I',
                       case v_role when 'pgq_admin' then 'select, insert, update, delete' else 'select' end, v_role);
    end loop;

    revoke all on all functions in schema pgq_node from public;
    for v_func in
        select p.oid::pg_catalog.regprocedure as signature, p.proname as name
          from pg_catalog.pg_proc p
         where p.pronamespace = 'pgq_node'::pg_catalog.regnamespace
    loop
        if v_func.name = any (v_public) then
            execute format('grant execute on function %s to public', v_func.signature);
        end if;
        foreach v_role in array v_roles loop
            if v_role = 'pgq_admin'
               or v_func.name = any (v_reader)
               or v_role = 'pgq_writer' and v_func.name = any (v_writer) then
                execute format('grant execute on function %s to %I', v_func.signature, v_role);
            end if;
        end loop;
    end loop;
end;
$$;
