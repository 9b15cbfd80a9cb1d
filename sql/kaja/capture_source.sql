-- Source text of generated capture functions. Each returns the body for one row of kaja.capture; kaja.generate_capture
-- creates the functions. docs/architecture.md describes the event format.
--
-- Rules the generated code keeps, because an application's statement must never fail or wait for it:
--   no column of the captured table is named on a path that runs after a DDL changed the columns;
--   no exception block (a subtransaction per statement), no lock, no dynamic SQL on the fast path;
--   every plan is linear in the rows of the statement, whatever row count it was first planned for.

-- The fast path's INSERT, once per event table, chosen by v_table. i_from: rows to log; i_data: their text form.
create or replace function kaja._capture_insert(i_capture kaja.capture, i_queue_id int, i_tables int, i_op text, i_shape text, i_data text, i_from text)
returns text language sql stable set search_path = pg_catalog, pg_temp as $$
    select string_agg(format($f$%s v_table = %s then
            insert into pgq.event_%s_%s (ev_id, ev_time, ev_type, ev_data, ev_extra1)
            select nextval('pgq.event_%s_id_seq'::regclass), now(), %L || %s, %s, %L%s;
        $f$, case n when 0 then 'if' else 'elsif' end, n, i_queue_id, n, i_queue_id, i_op || '/', i_shape, i_data, i_capture.table_name, i_from), '' order by n)
        || 'end if;'
      from generate_series(0, i_tables - 1) n
$$;

-- The same as dynamic SQL for the current v_table. i_select: everything after the column list, $1 = shape; the character
-- chr(1) stands for the captured table under its present name.
create or replace function kaja._capture_execute(i_queue_id int, i_select text) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select format('execute format(%L, v_table%s) using v_shape;',
                  format('insert into pgq.event_%s_%%s (ev_id, ev_time, ev_type, ev_data, ev_extra1) ', i_queue_id)
                      || replace(replace(i_select, '%', '%%'), chr(1), '%I.%I'),
                  case when strpos(i_select, chr(1)) > 0 then ', tg_table_schema, tg_table_name' else '' end)
$$;

-- What every capture function does first: exact settings, the event table to write to.
create or replace function kaja._capture_prologue(i_queue_id int, i_has_money boolean) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select format($f$    if current_setting('DateStyle') not like 'ISO%%' or current_setting('IntervalStyle') <> 'postgres'
       or current_setting('extra_float_digits') < '1'%s then
        v_settings := kaja.pin_settings();
    end if;
    if v_table > 99 or v_table is null then
        v_table := kaja.writable_table(%s);
    end if;
$f$, case when i_has_money then $m$ or current_setting('lc_monetary') not in ('C', 'POSIX')$m$ else '' end, i_queue_id)
$$;

-- Body of a statement trigger's function for INSERT, UPDATE or DELETE.
create or replace function kaja._capture_statement_body(i_capture kaja.capture, i_op text, i_queue_id int, i_tables int, i_has_money boolean)
returns text language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    v_names    text := kaja.names_of(i_capture.columns);
    v_keys     text[];       -- names of the key columns
    v_old_key  text;         -- key of an old row as text[]
    v_new_key  text;
    v_alias    text := '';   -- renames the leading key column, so that nothing names it
    v_leading  boolean;      -- the key is the table's first column
    v_rows     text := case when i_op = 'DELETE' then 'oldtab' else 'newtab' end;
    v_name     text := quote_literal(i_capture.table_name);
    v_head     text := format('select nextval(''pgq.event_%s_id_seq''::regclass), now(), ', i_queue_id);
    v_plain    text;         -- log the statement's rows, one event each
    v_fast     text;
    v_same_key text;         -- dynamic: log UPDATE rows whose keys did not change
    v_new_keys text;         -- dynamic: log UPDATE rows some of which changed their key
    v_both     text;         -- dynamic: log UPDATE rows as deletes and inserts, naming no column
    v_current  text := '';   -- dynamic: log the current rows of the keys that the statement touched
    v_match    text;
begin
    select array_agg(c.key order by k.n) into v_keys
      from unnest(i_capture.key_attnums) with ordinality as k(attnum, n)
      join json_each_text(i_capture.columns) c on c.value = k.attnum::text;
    v_leading := cardinality(v_keys) = 1 and v_keys[1] = (select c.key from json_each_text(i_capture.columns) c limit 1);
    if v_leading then
        v_alias := format('(%I)', 'kaja key ' || i_capture.shape_id);
        v_old_key := format('array[o.%I::text]', 'kaja key ' || i_capture.shape_id);
        v_new_key := format('array[n.%I::text]', 'kaja key ' || i_capture.shape_id);
    else
        select format('array[%s]', string_agg(format('o.%I::text', k), ', ')), format('array[%s]', string_agg(format('n.%I::text', k), ', '))
          into v_old_key, v_new_key from unnest(v_keys) k;
    end if;
    select string_agg(format('t.%1$I is not distinct from k.%1$I', k), ' and ') into v_match from unnest(v_keys) k;

    v_plain := kaja._capture_execute(i_queue_id, v_head || format('%L || $1, (r.*)::text, %s from %s r', left(i_op, 1) || '/', v_name, v_rows));
    v_fast := kaja._capture_insert(i_capture, i_queue_id, i_tables, left(i_op, 1), format('kaja.shape_of(%s)', i_capture.relid), '(r.*)::text', ' from ' || v_rows || ' r');

    if i_op <> 'UPDATE' then
        if i_capture.style = 'key' then
            -- INSERT: rows that are still there, as they are now. DELETE: rows that are gone; what stands there again is put back.
            v_current := case i_op when 'INSERT' then
                kaja._capture_execute(i_queue_id, v_head || format($f$'I/' || $1, (t.*)::text, %s from only %s t where exists (select from newtab k where %s)$f$, v_name, chr(1), v_match))
              else
                kaja._capture_execute(i_queue_id, v_head || format($f$'D/' || $1, (k.*)::text, %s from oldtab k$f$, v_name))
                || E'\n            ' ||
                kaja._capture_execute(i_queue_id, v_head || format($f$'U/' || $1, (t.*)::text, %s from only %s t where exists (select from oldtab k where %s)$f$, v_name, chr(1), v_match))
              end;
        end if;
        return format($f$
declare
    v_table    bigint := pg_sequence_last_value(%L::regclass);
    v_settings text[];
    v_shape    text;
begin
%s    if tg_relid <> %s or current_setting('transaction_isolation') <> 'read committed'
       or coalesce(current_setting('kaja.nested', true), '') <> '' then
        select kaja.names_of(row_to_json(r.*)) into v_shape from %s r limit 1;
        if v_shape = %L then
            v_shape := %L;
        end if;
        if v_shape = %L and %s and current_setting('kaja.nested', true) like '%%,%s,%%' then
            %s
        elsif v_shape is not null and v_table is not null then
            %s
        end if;
    else
        %s
    end if;
    if pg_trigger_depth() > 1 then
        perform kaja.note_nested(tg_relid);
    end if;
    if v_settings is not null then
        perform kaja.restore_settings(v_settings);
    end if;
    return null;
end;
$f$, 'kaja.current_table_' || i_queue_id, kaja._capture_prologue(i_queue_id, i_has_money), i_capture.relid, v_rows, v_names, i_capture.shape_id,
             i_capture.shape_id, (v_current <> '')::text, i_capture.relid, coalesce(nullif(v_current, ''), 'null;'), v_plain, v_fast);
    end if;

    v_both := kaja._capture_execute(i_queue_id, v_head || format($f$'D/' || $1, (o.*)::text, %s from oldtab o$f$, v_name)) || E'\n            '
           || kaja._capture_execute(i_queue_id, v_head || format($f$'I/' || $1, (n.*)::text, %s from newtab n$f$, v_name));
    if i_capture.style = 'whole_row' then
        return format($f$
declare
    v_table    bigint := pg_sequence_last_value(%L::regclass);
    v_settings text[];
    v_shape    text;
begin
%s    select kaja.names_of(row_to_json(r.*)) into v_shape from newtab r limit 1;
    if v_shape = %L then
        v_shape := %L;
    end if;
    if v_shape is not null and v_table is not null then
            %s
    end if;
    if v_settings is not null then
        perform kaja.restore_settings(v_settings);
    end if;
    return null;
end;
$f$, 'kaja.current_table_' || i_queue_id, kaja._capture_prologue(i_queue_id, i_has_money), v_names, i_capture.shape_id, v_both);
    end if;

    v_same_key := v_plain;
    -- Windows, not joins: linear-ish whatever plan was cached. Deletes of the keys that left come first.
    v_new_keys := kaja._capture_execute(i_queue_id, v_head || format($f$x.op || '/' || coalesce($1, kaja.shape_of(%s)), x.data, %s from (
                select case when not m.is_new then 'D' when m.has_old then 'U' else 'I' end as op, m.data
                  from (select r.*, bool_or(r.is_new) over w as has_new, bool_or(not r.is_new) over w as has_old
                          from (select %s as key, false as is_new, (o.*)::text as data from oldtab o%s
                                 union all
                                select %s, true, (n.*)::text from newtab n%s) r
                        window w as (partition by r.key)) m
                 where m.is_new or not m.has_new
                 order by m.is_new) x$f$, i_capture.relid, v_name, v_old_key, v_alias, v_new_key, v_alias));
    v_current := kaja._capture_execute(i_queue_id, v_head || format($f$'D/' || $1, (k.*)::text, %s from oldtab k
                 where not exists (select from only %s t where %s)
                   and not exists (select from newtab t where %s)$f$, v_name, chr(1), v_match, v_match)) || E'\n            '
              || kaja._capture_execute(i_queue_id, v_head || format($f$case when exists (select from oldtab k where %s) then 'U/' else 'I/' end || $1, (t.*)::text, %s
                  from only %s t where exists (select from newtab k where %s)$f$, v_match, v_name, chr(1), v_match));
    return format($f$
declare
    v_table    bigint := pg_sequence_last_value(%L::regclass);
    v_settings text[];
    v_shape    text;
begin
%s    if tg_relid <> %s or current_setting('transaction_isolation') <> 'read committed'
       or coalesce(current_setting('kaja.nested', true), '') <> '' then
        select kaja.names_of(row_to_json(r.*)) into v_shape from newtab r limit 1;
        if v_shape = %L then
            v_shape := %L;
        end if;
        if v_shape is null or v_table is null then
            null;
        elsif v_shape = %L and current_setting('kaja.nested', true) like '%%,%s,%%' then
            %s
        elsif v_shape <> %L then
            %s
        elsif exists (select %s from oldtab o%s except select %s from newtab n%s) then
            %s
        else
            %s
        end if;
    else
%s
    end if;
    if pg_trigger_depth() > 1 then
        perform kaja.note_nested(tg_relid);
    end if;
    if v_settings is not null then
        perform kaja.restore_settings(v_settings);
    end if;
    return null;
end;
$f$, 'kaja.current_table_' || i_queue_id, kaja._capture_prologue(i_queue_id, i_has_money), i_capture.relid, v_names, i_capture.shape_id,
         i_capture.shape_id, i_capture.relid, v_current, i_capture.shape_id, v_both, v_old_key, v_alias, v_new_key, v_alias, v_new_keys, v_same_key,
         case when v_leading then
            format($f$        if exists (select %s from oldtab o%s except select %s from newtab n%s) then
            %s
        else
        %s
        end if;$f$, v_old_key, v_alias, v_new_key, v_alias, v_new_keys, v_fast)
         else
            format($f$        select kaja.shape_of(%s) into v_shape from newtab limit 1;
        if v_shape is null or v_table is null then
            null;
        elsif v_shape <> %L then
            %s
        elsif exists (select %s from oldtab o except select %s from newtab n) then
            %s
        else
        %s
        end if;$f$, i_capture.relid, i_capture.shape_id, v_both, v_old_key, v_new_key, v_new_keys, v_fast)
         end);
end;
$$;

-- Body of a row trigger's function: partitioned and inherited tables. The row's own column order decides its shape.
create or replace function kaja._capture_row_body(i_capture kaja.capture, i_queue_id int, i_tables int, i_has_money boolean)
returns text language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    v_changed text;  -- did the key change?
begin
    select coalesce(string_agg(format('row_to_json(old) ->> %1$L is null or row_to_json(old) ->> %1$L is distinct from row_to_json(new) ->> %1$L', c.key), ' or '), 'true') into v_changed
      from unnest(i_capture.key_attnums) k(attnum) join json_each_text(i_capture.columns) c on c.value = k.attnum::text;
    return format($f$
declare
    v_table    bigint := pg_sequence_last_value(%L::regclass);
    v_settings text[];
    v_shape    text;
begin
%s    if tg_op = 'DELETE' then
        v_shape := kaja.names_of(row_to_json(old));
    else
        v_shape := kaja.names_of(row_to_json(new));
    end if;
    if v_shape = %L then
        v_shape := %L;
    end if;
    if tg_op = 'INSERT' then
        %s
    elsif tg_op = 'DELETE' then
        %s
    elsif %s then
        %s
        %s
    else
        %s
    end if;
    if v_settings is not null then
        perform kaja.restore_settings(v_settings);
    end if;
    return null;
end;
$f$, 'kaja.current_table_' || i_queue_id, kaja._capture_prologue(i_queue_id, i_has_money), kaja.names_of(i_capture.columns), i_capture.shape_id,
         kaja._capture_insert(i_capture, i_queue_id, i_tables, 'I', 'v_shape', 'new::text', ''),
         kaja._capture_insert(i_capture, i_queue_id, i_tables, 'D', 'v_shape', 'old::text', ''),
         v_changed,
         kaja._capture_insert(i_capture, i_queue_id, i_tables, 'D', 'v_shape', 'old::text', ''),
         kaja._capture_insert(i_capture, i_queue_id, i_tables, 'I', 'v_shape', 'new::text', ''),
         kaja._capture_insert(i_capture, i_queue_id, i_tables, 'U', 'v_shape', 'new::text', ''));
end;
$$;
