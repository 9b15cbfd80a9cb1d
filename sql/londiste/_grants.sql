-- Permissions of schema londiste. Grants go to those roles that exist; nothing but the functions named for PUBLIC can
-- be called by everybody.

-- Roles, as far as the installing user may create them.
do $$
begin
    perform londiste.upgrade_schema();
end;
$$;

do $$
declare
    v_public text[] := array['find_table_fkeys', 'find_column_types', 'find_rel_oid', 'find_table_oid', 'find_seq_oid',
                             'make_fqname', 'quote_fqname', 'split_fqname', 'is_replica_func', 'version'];
    v_reader text[] := array['get_table_list', '_coordinate_copy', '_merge_queues', 'get_seq_list'];
    v_maint  text[] := array['root_check_seqs', 'periodic_maintenance'];
    v_roles  text[] := array(select r.rolname::text from pg_catalog.pg_roles r
                              where r.rolname in ('londiste_reader', 'londiste_writer', 'pgq_admin'));
    v_role   text;
    v_func   record;
begin
    grant usage on schema londiste to public;
    revoke all on all tables in schema londiste from public;
    grant select on all tables in schema londiste to public;
    foreach v_role in array v_roles loop
        execute format('revoke all on all tables in schema londiste from %I', v_role);
        execute format('revoke all on all sequences in schema londiste from %I', v_role);
        execute format('revoke all on all functions in schema londiste from %I', v_role);
        case v_role
            when 'pgq_admin' then
                execute format('grant select, insert, update, delete on all tables in schema londiste to %I', v_role);
            when 'londiste_reader' then
                execute format('grant select on all tables in schema londiste to %I', v_role);
            else
                execute format('grant usage on all sequences in schema londiste to %I', v_role);
        end case;
    end loop;

    revoke all on all functions in schema londiste from public;
    for v_func in
        select p.oid::pg_catalog.regprocedure as signature, p.proname as name
          from pg_catalog.pg_proc p
         where p.pronamespace = 'londiste'::pg_catalog.regnamespace
    loop
        if v_func.name = any (v_public) then
            execute format('grant execute on function %s to public', v_func.signature);
        end if;
        foreach v_role in array v_roles loop
            if v_role = 'londiste_writer'
               or v_role = 'londiste_reader' and v_func.name = any (v_reader)
               or v_role = 'pgq_admin' and v_func.name = any (v_maint) then
                execute format('grant execute on function %s to %I', v_func.signature, v_role);
            end if;
        end loop;
    end loop;
end;
$$;
