-- Captured tables: make, refresh and drop the generated triggers.

-- Triggers of the session that applies changes, and of role 'local', log nothing.
create or replace function kaja._capture_when() returns text
language sql immutable as $$
    select $w$when (pg_catalog.current_setting('session_replication_role') <> 'local' and coalesce(pg_catalog.current_setting('kaja.applying', true), '') = '')$w$
$$;

-- Trigger name for a queue: `_londiste_<queue>[_<suffix>]`, shortened with a hash when it would not fit.
-- Row triggers have the suffix row_<number>: partitions inherit them, and one name may not come from two sides.
create or replace function kaja._trigger_name(i_queue text, i_suffix text) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select case when octet_length(n) <= 63 then n
                else left('_londiste_' || regexp_replace(i_queue, '[^\x01-\x7f]', '', 'g'), 30) || '_' || left(md5(i_queue), 8) || coalesce('_' || i_suffix, '') end
      from (select '_londiste_' || i_queue || coalesce('_' || i_suffix, '')) x(n)
$$;

-- Does a table need row triggers? Statement triggers fire for the table that a statement names, not for its partitions and children. NULL: no such table.
create or replace function kaja.needs_row_triggers(i_relid oid) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select c.relkind = 'p' or exists (select from pg_inherits i where i.inhparent = c.oid or i.inhrelid = c.oid)
      from pg_class c where c.oid = i_relid
$$;

-- Can the text of a table's rows depend on lc_monetary? Composite types count, they may get a money column any time.
create or replace function kaja.prints_money(i_relid oid) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    with recursive reached(type) as (
        select a.atttypid from pg_attribute a where a.attrelid = i_relid and a.attnum > 0 and not a.attisdropped
         union
        select x.type
          from reached r join pg_type t on t.oid = r.type left join pg_range g on g.rngtypid = t.oid left join pg_range m on m.rngmultitypid = t.oid
         cross join lateral (values (t.typelem), (t.typbasetype), (g.rngsubtype), (m.rngsubtype)) x(type)
         where x.type <> 0)
    select exists (select from reached r join pg_type t on t.oid = r.type where t.oid = 'money'::regtype or t.typtype = 'c')
$$;

-- Create or replace the functions of one captured table for its present columns.
-- i_relid: the physical table. Errors: kaja.capture has no such row.
create or replace function kaja.generate_capture(i_capture_id int, i_relid oid) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_capture kaja.capture;
    v_queue   record;
    v_columns text := kaja.columns_of(i_relid);
    v_money   boolean;
    v_op      text;
    v_body    text;
begin
    update kaja.capture c set relid = i_relid, columns = v_columns::json, shape_id = kaja.register_shape(v_columns)
     where c.capture_id = i_capture_id
    returning c.* into strict v_capture;
    select q.queue_id, q.queue_ntables into strict v_queue from pgq.queue q where q.queue_name = v_capture.queue_name;
    v_money := kaja.prints_money(i_relid);
    foreach v_op in array case when v_capture.row_level then array['row'] else array['INSERT', 'UPDATE', 'DELETE'] end loop
        continue when v_op <> 'row' and position(left(v_op, 1) in v_capture.ops) = 0;
        v_body := case v_op when 'row' then kaja._capture_row_body(v_capture, v_queue.queue_id, v_queue.queue_ntables, v_money)
                  else kaja._capture_statement_body(v_capture, v_op, v_queue.queue_id, v_queue.queue_ntables, v_money) end;
        execute format('create or replace function kaja.%I() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as %L',
                       format('capture_%s_%s', i_capture_id, lower(v_op)), v_body);
        execute format('revoke all on function kaja.%I() from public', format('capture_%s_%s', i_capture_id, lower(v_op)));
    end loop;
end;
$$;

-- Log TRUNCATE as event R with the logical table name. Trigger arguments: queue, logical name.
create or replace function kaja.capture_truncate() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if exists (select from pgq.queue q where q.queue_name = tg_argv[0]) then
        perform pgq.insert_event(tg_argv[0], 'R', '', tg_argv[1], null, null, null);
    end if;
    return null;
end;
$$;
revoke all on function kaja.capture_truncate() from public;

-- Capture a table: generate its functions and create its triggers, replacing those of an earlier call.
--   i_queue       queue that gets the events
--   i_table       logical name `schema.table`, written into the events
--   i_dest_table  physical name, NULL: the same
--   i_key         key columns in order; NULL or empty with style whole_row or insert_only
--   i_style       key | whole_row | insert_only
--   i_ops         subset of IUD, NULL: all (insert_only: I)
-- Result: names of the triggers. Locks the table (SHARE ROW EXCLUSIVE) until commit.
-- Errors: no such table or queue, kind of relation that cannot be captured, unknown key column.
create or replace function kaja.create_capture(i_queue text, i_table text, i_dest_table text, i_key text[], i_style text, i_ops text) returns text[]
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_name     text := coalesce(i_dest_table, i_table);
    v_schema   text := case when strpos(v_name, '.') > 0 then split_part(v_name, '.', 1) else 'public' end;
    v_relname  text := case when strpos(v_name, '.') > 0 then substr(v_name, strpos(v_name, '.') + 1) else v_name end;
    v_logical  text := case when strpos(i_table, '.') > 0 then i_table else 'public.' || i_table end;
    v_rel      record;
    v_attnums  smallint[];
    v_ops      text := case when i_style = 'insert_only' then 'I' else upper(coalesce(nullif(i_ops, ''), 'IUD')) end;
    v_capture  kaja.capture;
    v_triggers text[] := '{}';
    v_op       text;
    v_trigger  text;
begin
    select c.oid, c.relkind, c.relpersistence, kaja.needs_row_triggers(c.oid) as by_row
      into v_rel from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = v_schema and c.relname = v_relname;
    if not found then
        raise exception 'table % does not exist', v_name using errcode = 'undefined_table';
    end if;
    if v_rel.relkind not in ('r', 'p') or v_rel.relpersistence = 't' then
        raise exception '% is not a permanent table', v_name using errcode = 'wrong_object_type';
    end if;
    if not exists (select from pgq.queue q where q.queue_name = i_queue) then
        raise exception 'queue % does not exist', i_queue using errcode = 'undefined_object';
    end if;
    if i_style = 'key' then
        if coalesce(cardinality(i_key), 0) = 0 then
            raise exception 'table % has no key', v_name using errcode = 'invalid_parameter_value';
        end if;
        select array_agg(a.attnum order by k.n) into v_attnums
          from unnest(i_key) with ordinality as k(name, n)
          left join pg_attribute a on a.attrelid = v_rel.oid and a.attname = k.name and a.attnum > 0 and not a.attisdropped;
        if array_position(v_attnums, null) is not null then
            raise exception 'table % has no column %', v_name, i_key[array_position(v_attnums, null)] using errcode = 'undefined_column';
        end if;
    end if;

    insert into kaja.capture as c (queue_name, table_name, relid, style, ops, row_level, key_attnums, columns, shape_id)
    values (i_queue, v_logical, v_rel.oid, i_style, v_ops, v_rel.by_row, coalesce(v_attnums, '{}'), '{}', '')
    on conflict (queue_name, table_name) do update
       set relid = excluded.relid, style = excluded.style, ops = excluded.ops, row_level = excluded.row_level, key_attnums = excluded.key_attnums
    returning c.* into v_capture;
    perform kaja._drop_capture_triggers(v_capture.capture_id, v_capture.relid, i_queue);
    perform kaja.generate_capture(v_capture.capture_id, v_rel.oid);

    if v_capture.row_level then
        v_trigger := kaja._trigger_name(i_queue, 'row_' || v_capture.capture_id);
        execute format('create trigger %I after %s on %I.%I for each row %s execute function kaja.%I(%L)', v_trigger,
                       array_to_string(array(select case o when 'I' then 'insert' when 'U' then 'update' else 'delete' end
                                               from unnest(array['I', 'U', 'D']) o where position(o in v_ops) > 0), ' or '),
                       v_schema, v_relname, kaja._capture_when(), format('capture_%s_row', v_capture.capture_id), i_queue);
        v_triggers := v_triggers || v_trigger;
    else
        foreach v_op in array array['insert', 'update', 'delete'] loop
            continue when position(upper(left(v_op, 1)) in v_ops) = 0;
            v_trigger := kaja._trigger_name(i_queue, nullif(v_op, 'insert'));
            execute format('create trigger %I after %s on %I.%I referencing %s for each statement %s execute function kaja.%I(%L)', v_trigger, v_op,
                           v_schema, v_relname,
                           case v_op when 'insert' then 'new table as newtab' when 'delete' then 'old table as oldtab' else 'old table as oldtab new table as newtab' end,
                           -- The other functions look themselves (kaja._capture_quick).
                           case when i_style = 'whole_row' and v_op = 'update' then kaja._capture_when() else '' end,
                           format('capture_%s_%s', v_capture.capture_id, v_op), i_queue);
            v_triggers := v_triggers || v_trigger;
        end loop;
    end if;
    if v_ops = 'IUD' then
        v_trigger := kaja._trigger_name(i_queue, 'truncate');
        execute format('create trigger %I after truncate on %I.%I for each statement %s execute function kaja.capture_truncate(%L, %L)',
                       v_trigger, v_schema, v_relname, kaja._capture_when(), i_queue, v_logical);
        v_triggers := v_triggers || v_trigger;
    end if;
    perform kaja.capture_partitions(v_capture.capture_id);
    -- The ticker's maintenance regenerates functions after DDL, also with upstream's own pgq.
    update pgq.queue q set queue_extra_maint = coalesce(q.queue_extra_maint, '{}') || array['kaja.refresh_captures']
     where q.queue_name = i_queue and not coalesce(q.queue_extra_maint, '{}') @> array['kaja.refresh_captures'];
    return v_triggers;
end;
$$;

-- Drop the triggers that call a capture's functions, and its truncate trigger.
create or replace function kaja._drop_capture_triggers(i_capture_id int, i_relid oid, i_queue text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_trigger record;
begin
    for v_trigger in
        -- By oid, so that pg_trigger is read once and functions are found by their index: a node may have thousands of both.
        select t.tgname, t.tgrelid::regclass as rel
          from pg_trigger t
         where not t.tgisinternal and t.tgparentid = 0
           and (t.tgfoid = any (array(select p.oid from pg_proc p
                                       where p.pronamespace = 'kaja'::regnamespace
                                         and p.proname = any (array(select format('capture_%s_%s', i_capture_id, o) from unnest(array['insert', 'update', 'delete', 'row']) o))))
                or (t.tgrelid = i_relid or t.tgrelid = any (array(select l.relid from pg_partition_tree(i_relid) l)))
                   and t.tgfoid = any (array(select p.oid from pg_proc p
                                              where p.pronamespace = 'kaja'::regnamespace
                                                and p.proname in ('capture_truncate', 'capture_partition_truncate', 'deny_write')))
                   and split_part(encode(t.tgargs, 'escape'), E'\\000', 1) = i_queue)
    loop
        execute format('drop trigger %I on %s', v_trigger.tgname, v_trigger.rel);
    end loop;
end;
$$;

-- Stop capturing a table. Returns 1, or 0 when it was not captured.
create or replace function kaja.drop_capture(i_queue text, i_table text) returns int
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_logical text := case when strpos(i_table, '.') > 0 then i_table else 'public.' || i_table end;
    v_capture kaja.capture;
    v_op      text;
begin
    delete from kaja.capture c where c.queue_name = i_queue and c.table_name = v_logical returning c.* into v_capture;
    if not found then
        return 0;
    end if;
    perform kaja._drop_capture_triggers(v_capture.capture_id, v_capture.relid, i_queue);
    foreach v_op in array array['insert', 'update', 'delete', 'row'] loop
        execute format('drop function if exists kaja.%I()', format('capture_%s_%s', v_capture.capture_id, v_op));
    end loop;
    return 1;
end;
$$;

-- Make the triggers of a captured table again, of the other kind. Does nothing when the table's lock is not to be had at once, or the table belongs to somebody else.
create or replace function kaja._switch_capture(i_capture kaja.capture, i_relid oid) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform set_config('lock_timeout', '200ms', true);
    perform kaja.create_capture(i_capture.queue_name, i_capture.table_name,
                                (select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = i_relid),
                                (select array_agg(a.attname::text order by k.n) from unnest(i_capture.key_attnums) with ordinality k(attnum, n)
                                   join pg_attribute a on a.attrelid = i_relid and a.attnum = k.attnum and not a.attisdropped),
                                i_capture.style, i_capture.ops);
exception when lock_not_available or insufficient_privilege then
    null;
end;
$$;

-- Regenerate the functions of captured tables whose columns changed, follow renames, and adopt the new relation ids of a
-- restored database. A table that became a partition, a parent or a child, or is none any more, gets triggers of the other kind.
-- Called by the ticker's maintenance for each queue; returns 0. Waits for no table lock longer than 0.2 s.
create or replace function kaja.refresh_captures(i_queue text) returns int
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_found   record;
    v_capture kaja.capture;
    v_relid   oid;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('kaja.refresh_captures', 0)) then
        return 0;
    end if;
    -- Where the triggers are, found for all tables at once: pg_trigger has no index by function.
    for v_found in
        select c as capture, x.relid
          from kaja.capture c
          join (select substring(p.proname from '^capture_(\d+)_')::int as capture_id, min(t.tgrelid) as relid
                  from pg_trigger t join pg_proc p on p.oid = t.tgfoid
                 where p.pronamespace = 'kaja'::regnamespace and p.proname ~ '^capture_\d+_' and not t.tgisinternal and t.tgparentid = 0
                 group by 1) x on x.capture_id = c.capture_id
         where c.queue_name = i_queue
    loop
        v_capture := v_found.capture;
        v_relid := v_found.relid;
        if kaja.needs_row_triggers(v_relid) <> v_capture.row_level then
            perform kaja._switch_capture(v_capture, v_relid);
        elsif v_relid <> v_capture.relid or kaja.columns_of(v_relid) <> v_capture.columns::text then
            perform kaja.generate_capture(v_capture.capture_id, v_relid);
        end if;
        perform kaja.capture_partitions(v_capture.capture_id);
        update londiste.table_info i set dest_table = nullif(x.name, i.table_name)
          from (select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = v_relid) x
         where i.queue_name = i_queue and i.table_name = v_capture.table_name and i.local
           and coalesce(i.dest_table, i.table_name) <> x.name;
    end loop;
    return 0;
end;
$$;

-- Deny writes on a table of a leaf. Returns the names of the triggers; replaces those of an earlier call.
create or replace function kaja.create_deny(i_queue text, i_table text, i_dest_table text) returns text[]
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_name    text := coalesce(i_dest_table, i_table);
    v_schema  text := case when strpos(v_name, '.') > 0 then split_part(v_name, '.', 1) else 'public' end;
    v_relname text := case when strpos(v_name, '.') > 0 then substr(v_name, strpos(v_name, '.') + 1) else v_name end;
    v_relid   oid := to_regclass(format('%I.%I', v_schema, v_relname));
    v_row     boolean;
    v_trigger text;
begin
    v_row := kaja.needs_row_triggers(v_relid);
    if v_row is null then
        raise exception 'table % does not exist', v_name using errcode = 'undefined_table';
    end if;
    perform kaja._drop_capture_triggers(0, v_relid, i_queue);
    v_trigger := kaja._trigger_name(i_queue, case when v_row then 'row_' || v_relid end);
    execute format('create trigger %I %s insert or update or delete on %I.%I for each %s %s execute function kaja.deny_write(%L, ''deny'')',
                   v_trigger, case when v_row then 'after' else 'before' end, v_schema, v_relname,
                   case when v_row then 'row' else 'statement' end, kaja._capture_when(), i_queue);
    execute format('create trigger %I before truncate on %I.%I for each statement %s execute function kaja.deny_write(%L, ''deny'')',
                   kaja._trigger_name(i_queue, 'truncate'), v_schema, v_relname, kaja._capture_when(), i_queue);
    return array[v_trigger, kaja._trigger_name(i_queue, 'truncate')];
end;
$$;
