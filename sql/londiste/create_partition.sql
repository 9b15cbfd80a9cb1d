-- Create a partition by inheritance: columns, defaults, constraints, indexes, grants, triggers and rules of the parent,
-- and a check on the time range.
--   i_table, i_part  names of parent and partition, schema public when not given
--   i_pkeys          not used
--   i_part_field     time column for the check; NULL or '': no check
--   i_part_time      a time inside the partition; its period is cut out in the time zone of the session
--   i_part_period    hour, day, month, year or whatever date_trunc and interval know
-- Result: 1 created, 0 there is such a table already. Locks londiste.table_info (SHARE UPDATE EXCLUSIVE) so that
-- concurrent creators wait for each other. Error: no parent, the name belongs to something that is not a table.
create or replace function londiste.create_partition(
    i_table text, i_part text, i_pkeys text, i_part_field text, i_part_time timestamptz, i_part_period text) returns int4
language plpgsql
-- With nothing visible by its bare name, definitions of rules and triggers come with qualified names.
set search_path = pg_catalog, pg_temp
set datestyle = 'ISO, MDY' as $$
declare
    v_parent_name text := londiste.quote_fqname(i_table);
    v_part_name   text := londiste.quote_fqname(i_part);
    v_parent      oid;
    v_owner       name;
    v_kind        text;
    v_start       timestamptz;
    v_end         timestamptz;
    v_item        record;
begin
    if i_table is null or i_part is null then
        raise exception 'need table and part';
    end if;
    lock table londiste.table_info in share update exclusive mode;

    select c.relkind::text into v_kind
      from londiste.split_fqname(i_part) s
      join pg_namespace n on n.nspname = s.schema_part
      join pg_class c on c.relnamespace = n.oid and c.relname = s.name_part;
    if v_kind in ('r', 'p', 'f') then
        return 0;
    elsif v_kind is not null then
        raise exception 'relation % exists and is not a table', v_part_name using errcode = 'duplicate_table';
    end if;

    v_parent := v_parent_name::regclass;
    select r.rolname into v_owner from pg_class c join pg_roles r on r.oid = c.relowner where c.oid = v_parent;
    -- Generated columns get their expression through inheritance; stating it again is an error before PostgreSQL 16.
    execute format('create table %s (like %s including all excluding generated) inherits (%s)',
                   v_part_name, v_parent_name, v_parent_name);

    if i_part_field <> '' then
        v_start := date_trunc(i_part_period, i_part_time);
        v_end := v_start + ('1 ' || i_part_period)::interval;
        if v_end is null then
            raise exception 'need time and period for the range of partition %', v_part_name;
        end if;
        execute format('alter table only %s add check (%I >= %L and %I < %L)', v_part_name,
                       i_part_field, londiste._partition_bound(v_parent, i_part_field, v_start),
                       i_part_field, londiste._partition_bound(v_parent, i_part_field, v_end));
    end if;

    for v_item in
        select a.privilege_type, a.is_grantable, coalesce(quote_ident(g.rolname), 'public') as grantee
          from pg_class c
         cross join lateral aclexplode(c.relacl) a
          left join pg_roles g on g.oid = a.grantee
         where c.oid = v_parent and a.grantee <> c.relowner
    loop
        execute format('grant %s on table %s to %s%s', v_item.privilege_type, v_part_name, v_item.grantee,
                       case when v_item.is_grantable then ' with grant option' else '' end);
    end loop;
    perform londiste._copy_triggers(v_parent, v_parent_name, v_part_name);
    perform londiste._copy_rules(v_parent, v_parent_name, v_part_name);
    -- Last: after that the creator may have no rights on it.
    if v_owner <> current_user then
        execute format('alter table %s owner to %I', v_part_name, v_owner);
    end if;
    return 1;
end;
$$;
