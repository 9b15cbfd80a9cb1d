-- Insert many events at once, in the order of the arrays, with ev_time = now(). Returns how many.
-- i_types, i_data, i_extra1 … i_extra4: one element per event; a null array means null for every event, a shorter one for the rest.
-- Errors: as pgq.insert_event; nothing is inserted then. The event sequence moves by the number of events, as it does for
-- single ones, so the ticker sees them.
create or replace function kaja.insert_events(
    i_queue text, i_types text[], i_data text[],
    i_extra1 text[] default null, i_extra2 text[] default null, i_extra3 text[] default null, i_extra4 text[] default null)
returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_queue record;
    v_total bigint := greatest(cardinality(i_types), cardinality(i_data), cardinality(i_extra1), cardinality(i_extra2),
                               cardinality(i_extra3), cardinality(i_extra4), 0);
    v_count bigint;
begin
    select q.queue_id, q.queue_data_pfx, q.queue_event_seq, q.queue_cur_table, q.queue_disable_insert, q.queue_per_tx_limit
      into v_queue
      from pgq.queue q where q.queue_name = i_queue;
    if not found then
        if i_queue is null then
            raise exception 'Queue name must not be NULL';
        end if;
        raise exception 'No such queue';
    end if;
    if v_queue.queue_disable_insert and current_setting('session_replication_role') <> 'replica' then
        raise exception 'Insert into queue disallowed';
    end if;
    if v_queue.queue_per_tx_limit >= 0 then
        v_count := coalesce(nullif(current_setting('kaja.tx_events_' || v_queue.queue_id, true), '')::bigint, 0) + v_total;
        if v_count > v_queue.queue_per_tx_limit then
            raise exception 'Queue ''%'' allows max % events from one TX', i_queue, v_queue.queue_per_tx_limit;
        end if;
        perform set_config('kaja.tx_events_' || v_queue.queue_id, v_count::text, true);
    end if;

    -- The sequence is read while the rows come in their order.
    execute format(
        'insert into %s (ev_id, ev_time, ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3, ev_extra4)'
        ' select nextval(%L::regclass), now(), e.* from rows from ('
        'unnest($1), unnest($2), unnest($3), unnest($4), unnest($5), unnest($6)) e',
        v_queue.queue_data_pfx || '_' || v_queue.queue_cur_table, v_queue.queue_event_seq)
      using i_types, i_data, i_extra1, i_extra2, i_extra3, i_extra4;
    return v_total;
end;
$$;
