-- TRUNCATE of single partitions: it empties rows of the captured root table but fires no trigger of the root.

-- Trigger function, BEFORE TRUNCATE on a partition: log its rows as deleted. Trigger arguments: queue, logical name of the root.
-- Rows are logged also when the root itself is truncated; the event R that follows makes them moot.
create or replace function kaja.capture_partition_truncate() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_queue    int := (select q.queue_id from pgq.queue q where q.queue_name = tg_argv[0]);
    v_table    bigint;
    v_settings text[];
    v_shape    text;
begin
    if v_queue is null then
        return null;
    end if;
    v_table := kaja.writable_table(v_queue);
    v_settings := kaja.pin_settings();
    execute format('select kaja.names_of(row_to_json(t.*)) from only %I.%I t limit 1', tg_table_schema, tg_table_name) into v_shape;
    if v_shape is not null then
        execute format('insert into pgq.event_%s_%s (ev_id, ev_time, ev_type, ev_data, ev_extra1)
                        select nextval(''pgq.event_%s_id_seq''), now(), ''D/'' || $1, (t.*)::text, $2 from only %I.%I t',
                       v_queue, v_table, v_queue, tg_table_schema, tg_table_name) using v_shape, tg_argv[1];
    end if;
    perform kaja.restore_settings(v_settings);
    return null;
end;
$$;
revoke all on function kaja.capture_partition_truncate() from public;

-- Give every partition of a captured table the trigger. Called when the table is added and by maintenance for later partitions.
-- Partitions whose lock is not to be had at once, or that belong to somebody else, are left to the next call. Returns the number of triggers made.
create or replace function kaja.capture_partitions(i_capture_id int) returns int
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_capture kaja.capture;
    v_leaf    regclass;
    v_made    int := 0;
begin
    select * into v_capture from kaja.capture c where c.capture_id = i_capture_id;
    if v_capture.ops <> 'IUD' or v_capture.style = 'insert_only'
       or (select c.relkind from pg_class c where c.oid = v_capture.relid) is distinct from 'p' then
        return 0;
    end if;
    for v_leaf in
        select p.relid from pg_partition_tree(v_capture.relid) p join pg_class c on c.oid = p.relid
         where p.isleaf and c.relkind = 'r'
           and not exists (select from pg_trigger t where t.tgrelid = p.relid and t.tgname = kaja._trigger_name(v_capture.queue_name, 'part_' || i_capture_id))
    loop
        begin
            perform set_config('lock_timeout', '200ms', true);
            execute format('create trigger %I before truncate on %s for each statement %s execute function kaja.capture_partition_truncate(%L, %L)',
                           kaja._trigger_name(v_capture.queue_name, 'part_' || i_capture_id), v_leaf, kaja._capture_when(), v_capture.queue_name, v_capture.table_name);
            v_made := v_made + 1;
        exception when lock_not_available or insufficient_privilege then
            null;
        end;
    end loop;
    return v_made;
end;
$$;
