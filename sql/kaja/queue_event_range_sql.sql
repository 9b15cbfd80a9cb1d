-- Text of a SELECT of the ten event columns for the events between two ticks of a queue; kaja.event_range_sql: ordered by
-- ev_id, kaja.event_union_sql: in no order, so that a reader who sorts anyway, or stops early, does not wait for a sort.
-- Needs no subscription, but something must keep the events: a consumer that stands at i_prev_tick or before.
-- i_owner: sub_id whose retried events belong to the result, null for none. i_where: raw SQL condition over the ten columns,
-- or null; it runs with the rights of whoever runs the text. Errors: unknown queue, unknown tick.
--
-- An event belongs to the range iff its transaction is visible in the second snapshot and not in the first. Those that were
-- not visible in the first either began after it (ev_txid at or above its xmax: one index range) or are named in its list
-- of running ones (few: looked up one by one). So an old open transaction never makes the range grow.
create or replace function kaja.event_union_sql(i_queue text, i_prev_tick bigint, i_tick bigint, i_owner int, i_where text)
returns text
language plpgsql as $$
declare
    v_queue_id int;
    v_from     txid_snapshot;
    v_to       txid_snapshot;
    v_filter   text;
    v_listed   bigint[];
    v_columns  constant text := 'ev_id, ev_time, ev_txid, ev_retry, ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3, ev_extra4';
    v_table    text;
    v_parts    text[] := '{}';
    v_sql      text;
begin
    select q.queue_id into v_queue_id from pgq.queue q where q.queue_name = i_queue;
    if not found then
        raise exception 'Event queue not found: %', i_queue;
    end if;
    select t.tick_snapshot into v_from from pgq.tick t where t.tick_queue = v_queue_id and t.tick_id = i_prev_tick;
    if not found then
        raise exception 'tick % of queue % not found', i_prev_tick, i_queue;
    end if;
    select t.tick_snapshot into v_to from pgq.tick t where t.tick_queue = v_queue_id and t.tick_id = i_tick;
    if not found then
        raise exception 'tick % of queue % not found', i_tick, i_queue;
    end if;

    v_filter := case when i_owner is null then 'ev_owner is null' else format('(ev_owner is null or ev_owner = %s)', i_owner) end;
    v_listed := array(select r.xid from txid_snapshot_xip(v_from) r(xid)
                       where txid_visible_in_snapshot(r.xid, v_to) order by r.xid);
    for v_table in select pgq.quote_fqname(n.name) from kaja.queue_event_tables(v_queue_id, v_from, v_to) n(name) loop
        v_sql := format('select %s from %s where ev_txid >= %s and ev_txid < %s and %s',
                        v_columns, v_table, txid_snapshot_xmax(v_from), txid_snapshot_xmax(v_to), v_filter);
        if exists (select 1 from txid_snapshot_xip(v_to) r(xid) where r.xid >= txid_snapshot_xmax(v_from)) then
            v_sql := v_sql || format(' and pg_catalog.txid_visible_in_snapshot(ev_txid, %L::pg_catalog.txid_snapshot)', v_to);
        end if;
        v_parts := v_parts || v_sql;
        if cardinality(v_listed) > 0 then
            v_parts := v_parts || format('select %s from %s where ev_txid = any (%L::pg_catalog.int8[]) and %s',
                                         v_columns, v_table, v_listed, v_filter);
        end if;
    end loop;
    v_sql := array_to_string(v_parts, E'\nunion all ');
    if i_where is not null then
        v_sql := format(E'select %s from (%s) ev where (%s\n)', v_columns, v_sql, i_where);
    end if;
    return v_sql;
end;
$$;

create or replace function kaja.event_range_sql(i_queue text, i_prev_tick bigint, i_tick bigint, i_owner int, i_where text)
returns text
language sql as $$
    select kaja.event_union_sql(i_queue, i_prev_tick, i_tick, i_owner, i_where) || E'\norder by 1'
$$;
