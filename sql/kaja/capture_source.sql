-- Source text of generated capture functions. Each returns the body for one row of kaja.capture; kaja.generate_capture
-- creates the functions. docs/architecture.md describes the event format.
--
-- Rules the generated code keeps, because an application's statement must never fail or wait for it:
--   no column of the captured table is named on a path that runs after a DDL changed the columns;
--   no exception block (a subtransaction per statement), no lock, no dynamic SQL on the fast path;
--   every plan is linear in the rows of the statement, whatever row count it was first planned for;
--   where commands nest, rows are logged as they stand (capture_order.sql).

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
-- chr(1) stands for the captured table under its present name, chr(2) for v_match: rows t and k have the same key.
create or replace function kaja._capture_execute(i_queue_id int, i_select text) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select format('execute format(%L, v_table, tg_table_schema, tg_table_name, v_match) using v_shape;',
                  format('insert into pgq.event_%s_%%1$s (ev_id, ev_time, ev_type, ev_data, ev_extra1) ', i_queue_id)
                      || replace(replace(replace(i_select, '%', '%%'), chr(1), '%2$I.%3$I'), chr(2), '%4$s'))
$$;

-- Log the rows that stand in the table under keys that the statement touched, instead of the statement's own images.
-- What left is logged first; what stands again under a key that left is put back as U.
create or replace function kaja._capture_standing(i_capture kaja.capture, i_op text, i_queue_id int) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    select string_agg(kaja._capture_execute(i_queue_id, format('select nextval(''pgq.event_%1$s_id_seq''::regclass), now(), %2$L || coalesce($1, kaja.names_of(row_to_json(%3$s.*))), (%3$s.*)::text, %4$L from ',
                                                               i_queue_id, s.op || '/', s.row, i_capture.table_name) || s.rows), E'\n            ' order by s.n)
      from (values ('INSERT', 1, 'I', 't', 'only ' || chr(1) || ' t where exists (select from newtab k where ' || chr(2) || ')'),
                   ('DELETE', 1, 'D', 'k', 'oldtab k'),
                   ('DELETE', 2, 'U', 't', 'only ' || chr(1) || ' t where exists (select from oldtab k where ' || chr(2) || ')'),
                   ('UPDATE', 1, 'D', 'k', 'oldtab k where not exists (select from newtab t where ' || chr(2) || ')'),
                   ('UPDATE', 2, 'U', 't', 'only ' || chr(1) || ' t where exists (select from oldtab k where ' || chr(2) || ')'),
                   ('UPDATE', 3, 'I', 't', 'only ' || chr(1) || ' t where exists (select from newtab k where ' || chr(2) || ') and not exists (select from oldtab k where ' || chr(2) || ')'))
           s(for_op, n, op, row, rows)
     where s.for_op = i_op
$$;

-- What every capture function does first: exact settings, the event table to write to.
create or replace function kaja._capture_prologue(i_queue_id int, i_has_money boolean) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select format($f$    if current_setting('DateStyle') not like 'ISO%%' or current_setting('IntervalStyle') <> 'postgres'
       or current_setting('extra_float_digits') not in ('1', '2', '3')%s then
        v_settings := kaja.pin_settings();
    end if;
    if v_table > 99 or v_table is null then
        v_table := kaja.writable_table(%s);
    end if;
$f$, case when i_has_money then $m$ or current_setting('lc_monetary') not in ('C', 'POSIX')$m$ else '' end, i_queue_id)
$$;

-- Off the fast path, for a table that had no money column when its functions were made: one may have come.
create or replace function kaja._capture_money_guard(i_capture kaja.capture) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select format($f$    if (v_shape <> %L or v_match is not null) and v_settings is null and current_setting('lc_monetary') not in ('C', 'POSIX') then
        v_settings := kaja.pin_settings();
    end if;
$f$, i_capture.shape_id)
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
    v_data     text;         -- a row in text form
    v_quick    text;         -- the shortest way, for most statements
    v_plain    text;         -- log the statement's rows, one event each
    v_fast     text;
    v_same_key text;         -- dynamic: log UPDATE rows whose keys did not change
    v_new_keys text;         -- dynamic: log UPDATE rows some of which changed their key
    v_both     text;         -- dynamic: log UPDATE rows as deletes and inserts, naming no column
    v_standing text := kaja._capture_standing(i_capture, i_op, i_queue_id);
    v_money    text := case when i_has_money then '' else kaja._capture_money_guard(i_capture) end;
    v_keyed    boolean := i_capture.style = 'key';
    v_find     text := format('kaja.key_match(tg_relid, %L::smallint[])', i_capture.key_attnums);
    v_nested   text := format('coalesce(current_setting(''kaja.nested'', true), '''') <> '''' and kaja.is_nested(%s, pg_trigger_depth())', i_capture.relid);
    v_note     text := case when v_keyed then format(E'    if pg_trigger_depth() > 1 then\n        perform kaja.note_nested(%s, pg_trigger_depth());\n    end if;\n', i_capture.relid) else '' end;
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

    v_plain := kaja._capture_execute(i_queue_id, v_head || format('%L || $1, (r.*)::text, %s from %s r', left(i_op, 1) || '/', v_name, v_rows));
    v_data := case when i_has_money then '(r.*)::text' else format('case when kaja.money_came(%s) then kaja.exact_text(r.*) else (r.*)::text end', i_capture.relid) end;
    v_fast := kaja._capture_insert(i_capture, i_queue_id, i_tables, left(i_op, 1), format('kaja.shape_of(%s)', i_capture.relid), v_data, ' from ' || v_rows || ' r');
    if i_op <> 'UPDATE' or v_keyed then
        v_quick := kaja._capture_quick(i_capture, i_op, i_queue_id, i_tables, i_has_money, '(r.*)::text');
    end if;

    if i_op <> 'UPDATE' then
        return format($f$
declare
    v_table    bigint := pg_sequence_last_value(%L::regclass);
    v_settings text[];
    v_shape    text;
    v_match    text;
    v_context  text;
begin
%s%s    if %s then
        v_match := %s;
    end if;
%s    if tg_relid <> %s or v_match is not null or current_setting('transaction_isolation') <> 'read committed' then
        select kaja.names_of(row_to_json(r.*)) into v_shape from %s r limit 1;
        if v_shape = %L then
            v_shape := %L;
        end if;
%s        if v_shape is null or v_table is null then
            null;
        elsif v_match is not null then
            %s
        else
            %s
        end if;
    else
        %s
    end if;
%s    if v_settings is not null then
        perform kaja.restore_settings(v_settings);
    end if;
    return null;
end;
$f$, 'kaja.current_table_' || i_queue_id, v_quick, kaja._capture_prologue(i_queue_id, i_has_money), case when v_keyed then v_nested else 'false' end, v_find,
             case when v_keyed and i_op = 'DELETE' then format($f$    if v_match is null and (pg_stat_get_xact_tuples_inserted(tg_relid) > 0 or pg_stat_get_xact_tuples_updated(tg_relid) > 0 or current_setting('track_counts') = 'off') then
        get diagnostics v_context = pg_context;
        if kaja.is_compound(v_context, 'delete') then
            v_match := %s;
        end if;
    end if;
$f$, v_find) else '' end, i_capture.relid, v_rows, v_names, i_capture.shape_id, v_money, v_standing, v_plain, v_fast, v_note);
    end if;

    v_both := kaja._capture_execute(i_queue_id, v_head || format($f$'D/' || $1, (o.*)::text, %s from oldtab o$f$, v_name)) || E'\n            '
           || kaja._capture_execute(i_queue_id, v_head || format($f$'I/' || $1, (n.*)::text, %s from newtab n$f$, v_name));
    if i_capture.style = 'whole_row' then
        return format($f$
declare
    v_table    bigint := pg_sequence_last_value(%L::regclass);
    v_settings text[];
    v_shape    text;
    v_match    text;
begin
%s    select kaja.names_of(row_to_json(r.*)) into v_shape from newtab r limit 1;
    if v_shape = %L then
        v_shape := %L;
    end if;
%s    if v_shape is not null and v_table is not null then
            %s
    end if;
    if v_settings is not null then
        perform kaja.restore_settings(v_settings);
    end if;
    return null;
end;
$f$, 'kaja.current_table_' || i_queue_id, kaja._capture_prologue(i_queue_id, i_has_money), v_names, i_capture.shape_id, v_money, v_both);
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
    v_new_keys := format($f$get diagnostics v_context = pg_context;
            if kaja.is_compound(v_context, 'update') then
                v_match := %s;
            end if;
            if v_match is not null then
            %s
            else
            %s
            end if;$f$, v_find, v_standing, v_new_keys);
    return format($f$
declare
    v_table    bigint := pg_sequence_last_value(%L::regclass);
    v_settings text[];
    v_shape    text;
    v_match    text;
    v_context  text;
begin
%s%s    if %s then
        v_match := %s;
    end if;
    if tg_relid <> %s or v_match is not null or current_setting('transaction_isolation') <> 'read committed' then
        select kaja.names_of(row_to_json(r.*)) into v_shape from newtab r limit 1;
        if v_shape = %L then
            v_shape := %L;
        end if;
%s        if v_shape is null or v_table is null then
            null;
        elsif v_match is not null then
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
%s    if v_settings is not null then
        perform kaja.restore_settings(v_settings);
    end if;
    return null;
end;
$f$, 'kaja.current_table_' || i_queue_id, v_quick, kaja._capture_prologue(i_queue_id, i_has_money), v_nested, v_find, i_capture.relid, v_names, i_capture.shape_id,
         v_money, v_standing, i_capture.shape_id, v_both, v_old_key, v_alias, v_new_key, v_alias, v_new_keys, v_same_key,
         case when v_leading then
            format($f$        if v_table is not null and exists (select %s from oldtab o%s except select %s from newtab n%s) then
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
         end, v_note);
end;
$$;

-- In a row trigger: log what stands in the watched table under the key of i_row (old or new).
create or replace function kaja._capture_standing_row(i_capture kaja.capture, i_queue_id int, i_op text, i_row text, i_only boolean) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select format('execute format(%L, v_table, v_watched, v_match) using %s;',
                  format('insert into pgq.event_%1$s_%%1$s (ev_id, ev_time, ev_type, ev_data, ev_extra1) select nextval(''pgq.event_%1$s_id_seq''::regclass), now(), %2$L || kaja.names_of(row_to_json(t.*)), (t.*)::text, %3$s from %4$s%%2$s t, (select ($1).*) k where %%3$s',
                         i_queue_id, i_op || '/', replace(quote_literal(i_capture.table_name), '%', '%%'), case when i_only then 'only ' else '' end), i_row)
$$;

-- Body of a row trigger's function: partitioned and inherited tables. The row's own column order decides its shape.
create or replace function kaja._capture_row_body(i_capture kaja.capture, i_queue_id int, i_tables int, i_has_money boolean)
returns text language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    v_changed text;     -- did the key change?
    v_nested  text := 'false';
    v_find    text := 'null';
    v_note    text := '';
    v_only    boolean := (select c.relkind from pg_class c where c.oid = i_capture.relid) is distinct from 'p';
begin
    select coalesce(string_agg(format('row_to_json(old) ->> %1$L is null or row_to_json(old) ->> %1$L is distinct from row_to_json(new) ->> %1$L', c.key), ' or '), 'true') into v_changed
      from unnest(i_capture.key_attnums) k(attnum) join json_each_text(i_capture.columns) c on c.value = k.attnum::text;
    if i_capture.style = 'key' then
        v_nested := format('coalesce(current_setting(''kaja.nested'', true), '''') <> '''' and kaja.is_nested(%s, pg_trigger_depth())', i_capture.relid);
        v_find := format('v_watched := kaja.watched_relation(%s, tg_relid)::regclass;'
                         '        v_match := kaja.key_match(v_watched, %L::smallint[]);', i_capture.relid, i_capture.key_attnums);
        v_note := format(E'    if pg_trigger_depth() > 1 then\n        perform kaja.note_nested(%s, pg_trigger_depth());\n    end if;\n', i_capture.relid);
    else
        v_find := 'null;';
    end if;
    return format($f$
declare
    v_table    bigint := pg_sequence_last_value(%L::regclass);
    v_settings text[];
    v_shape    text;
    v_match    text;
    v_watched  regclass;
begin
%s    if tg_op = 'DELETE' then
        v_shape := kaja.names_of(row_to_json(old));
    else
        v_shape := kaja.names_of(row_to_json(new));
    end if;
    if v_shape = %L then
        v_shape := %L;
    end if;
    if %s then
        %s
    end if;
%s    if v_shape is null or v_table is null then
        null;
    elsif v_match is not null then
        if tg_op = 'INSERT' then
            %s
        elsif tg_op = 'DELETE' then
            %s
            %s
        elsif %s then
            %s
            %s
            %s
        else
            %s
        end if;
    elsif tg_op = 'INSERT' then
        %s
    elsif tg_op = 'DELETE' then
        %s
    elsif %s then
        %s
        %s
    else
        %s
    end if;
%s    if v_settings is not null then
        perform kaja.restore_settings(v_settings);
    end if;
    return null;
end;
$f$, 'kaja.current_table_' || i_queue_id, kaja._capture_prologue(i_queue_id, i_has_money), kaja.names_of(i_capture.columns), i_capture.shape_id,
         v_nested, v_find, case when i_has_money then '' else kaja._capture_money_guard(i_capture) end,
         kaja._capture_standing_row(i_capture, i_queue_id, 'I', 'new', v_only),
         kaja._capture_insert(i_capture, i_queue_id, i_tables, 'D', 'v_shape', 'old::text', ''),
         kaja._capture_standing_row(i_capture, i_queue_id, 'U', 'old', v_only),
         v_changed,
         kaja._capture_insert(i_capture, i_queue_id, i_tables, 'D', 'v_shape', 'old::text', ''),
         kaja._capture_standing_row(i_capture, i_queue_id, 'U', 'old', v_only),
         kaja._capture_standing_row(i_capture, i_queue_id, 'I', 'new', v_only),
         kaja._capture_standing_row(i_capture, i_queue_id, 'U', 'new', v_only),
         kaja._capture_insert(i_capture, i_queue_id, i_tables, 'I', 'v_shape', 'new::text', ''),
         kaja._capture_insert(i_capture, i_queue_id, i_tables, 'D', 'v_shape', 'old::text', ''),
         v_changed,
         kaja._capture_insert(i_capture, i_queue_id, i_tables, 'D', 'v_shape', 'old::text', ''),
         kaja._capture_insert(i_capture, i_queue_id, i_tables, 'I', 'v_shape', 'new::text', ''),
         kaja._capture_insert(i_capture, i_queue_id, i_tables, 'U', 'v_shape', 'new::text', ''),
         v_note);
end;
$$;
