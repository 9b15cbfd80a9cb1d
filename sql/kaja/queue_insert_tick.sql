-- Insert a tick with the present snapshot and notify channel kaja_tick. The caller holds the queue's tick lock, taken in an
-- earlier statement.
-- i_tick_id: id from elsewhere (external ticker) or null for the next one. i_tick_time: null for now().
-- i_event_seq: position of the event sequence, read before this call. i_newest_known: the caller has made sure that no newer
-- tick hides behind a transaction-wide snapshot.
-- Returns the tick id; null, and no tick, if the snapshot does not cover the newest tick's: such a tick would deliver
-- events twice. That happens in REPEATABLE READ, and after a dump was restored into a cluster with smaller transaction ids.
create or replace function kaja.queue_insert_tick(i_queue_id int, i_tick_id bigint, i_tick_time timestamptz, i_event_seq bigint,
                                                  i_newest_known boolean default false)
returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_queue    record;
    v_newest   record;
    v_snapshot txid_snapshot;
    v_used     bigint;
    v_tick_id  bigint := i_tick_id;
begin
    select q.queue_name, q.queue_tick_seq into v_queue from pgq.queue q where q.queue_id = i_queue_id;
    v_snapshot := kaja.queue_snapshot();
    select t.tick_id, t.tick_snapshot into v_newest
      from pgq.tick t where t.tick_queue = i_queue_id order by t.tick_id desc limit 1;

    if found then
        if txid_snapshot_xmax(v_snapshot) < txid_snapshot_xmax(v_newest.tick_snapshot)
           or exists (select 1 from txid_snapshot_xip(v_snapshot) r(xid)
                       where txid_visible_in_snapshot(r.xid, v_newest.tick_snapshot)) then
            return null;
        end if;
        -- With a transaction-wide snapshot a newer tick may exist that is not visible here; the sequence shows it.
        if not i_newest_known and current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
            v_used := pg_sequence_last_value(v_queue.queue_tick_seq::regclass);
            if v_used > v_newest.tick_id and v_used is distinct from i_tick_id then
                return null;
            end if;
        end if;
        -- An id that exists already is left to the primary key.
        if i_tick_id < v_newest.tick_id
           and not exists (select 1 from pgq.tick t where t.tick_queue = i_queue_id and t.tick_id = i_tick_id) then
            return null;
        end if;
    end if;

    if v_tick_id is null then
        v_tick_id := nextval(v_queue.queue_tick_seq::regclass);
    end if;
    insert into pgq.tick (tick_queue, tick_id, tick_time, tick_snapshot, tick_event_seq)
    values (i_queue_id, v_tick_id, coalesce(i_tick_time, now()), v_snapshot, i_event_seq);
    perform pg_notify('kaja_tick', v_queue.queue_name);
    return v_tick_id;
end;
$$;
