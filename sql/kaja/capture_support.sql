-- Helpers that the generated capture functions call off their fast path.

-- Set the settings that decide how values are printed to exact ones until kaja.restore_settings puts them back.
-- Returns the old values. Capture functions call it only when a setting would make text inexact.
create or replace function kaja.pin_settings() returns text[]
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_old text[] := array[current_setting('DateStyle'), current_setting('IntervalStyle'),
                          current_setting('extra_float_digits'), current_setting('lc_monetary')];
begin
    perform set_config('DateStyle', 'ISO, MDY', true), set_config('IntervalStyle', 'postgres', true),
            set_config('extra_float_digits', '1', true), set_config('lc_monetary', 'C', true);
    return v_old;
end;
$$;

create or replace function kaja.restore_settings(i_old text[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform set_config('DateStyle', i_old[1], true), set_config('IntervalStyle', i_old[2], true),
            set_config('extra_float_digits', i_old[3], true), set_config('lc_monetary', i_old[4], true);
end;
$$;

-- Has a table got a money column since its capture functions were made? Folded into their plans as kaja.shape_of is: same rules.
create or replace function kaja.money_came(i_relid oid) returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    return kaja.prints_money(i_relid);
end;
$$;

-- Text of a row under exact settings.
create or replace function kaja.exact_text(i_row record) returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_old  text[] := kaja.pin_settings();
    v_text text := i_row::text;
begin
    perform kaja.restore_settings(v_old);
    return v_text;
end;
$$;

-- Number of the event table to write to, asked when the hint sequence says that inserts may be disabled.
-- NULL: the queue is gone, nothing to log. Error: writing is disabled on purpose (branch node, takeover).
create or replace function kaja.writable_table(i_queue_id int) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_queue record;
begin
    select q.queue_cur_table, q.queue_disable_insert into v_queue from pgq.queue q where q.queue_id = i_queue_id;
    if v_queue.queue_disable_insert and current_setting('session_replication_role') <> 'replica' then
        raise exception 'Insert into queue disallowed'
            using hint = 'this node only applies changes: write on the root node';
    end if;
    return v_queue.queue_cur_table;
end;
$$;

-- Refuses writes on tables of a leaf. Trigger arguments: queue, 'deny'.
create or replace function kaja.deny_write() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception 'Table ''%'' to queue ''%'': change not allowed (%)', tg_table_schema || '.' || tg_table_name, tg_argv[0], tg_op
        using hint = 'this table is replicated: write on its provider';
end;
$$;
