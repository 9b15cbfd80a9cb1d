-- Copy the grants of one table (with grant option) to another. Always 1, also if there is nothing to copy.
create or replace function pgq._grant_perms_from(src_schema text, src_table text, dst_schema text, dst_table text) returns int
language plpgsql strict as $$
declare
    v_grant record;
begin
    for v_grant in
        select a.privilege_type, a.is_grantable,
               case when a.grantee = 0 then 'public' else quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) end as grantee
          from pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a
         where c.oid = to_regclass(format('%I.%I', src_schema, src_table)) and a.grantee <> c.relowner
        except
        select a.privilege_type, a.is_grantable,
               case when a.grantee = 0 then 'public' else quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) end
          from pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a
         where c.oid = to_regclass(format('%I.%I', dst_schema, dst_table))
    loop
        execute format('grant %s on %I.%I to %s', v_grant.privilege_type, dst_schema, dst_table, v_grant.grantee)
             || case when v_grant.is_grantable then ' with grant option' else '' end;
    end loop;
    return 1;
end;
$$;
