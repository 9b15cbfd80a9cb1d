-- Store a tick whose snapshot is the one this REPEATABLE READ transaction reads with. Returns its id.
-- Whoever reads with that snapshot (also by pg_export_snapshot) sees exactly the events of all batches up to this tick,
-- events of this transaction excepted. The session must have called kaja.lock_ticks(i_queue) before the transaction.
-- Errors: 25000 wrong isolation; 55000 lock not held, or (genuine extension only) a tick came in between; external ticker.
create or replace function kaja.tick_at_snapshot(i_queue text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_queue  record;
    v_newest bigint;
    v_tick   bigint;
begin
    if current_setting('transaction_isolation') not in ('repeatable read', 'serializable') then
        raise exception 'kaja.tick_at_snapshot needs a REPEATABLE READ transaction'
            using errcode = 'invalid_transaction_state';
    end if;
    select q.queue_id, q.queue_event_seq, q.queue_external_ticker into v_queue from pgq.queue q where q.queue_name = i_queue;
    if not found then
        raise exception 'Event queue not found: %', i_queue;
    end if;
    if v_queue.queue_external_ticker then
        raise exception 'This queue has external tick source.';
    end if;
    -- kaja.lock_ticks refuses to run in a transaction like this one, so the lock is older than the snapshot.
    if not exists (
            select 1 from pg_locks l
             where l.locktype = 'advisory' and l.classid = 1801546337 and l.objid = v_queue.queue_id and l.objsubid = 2
               and l.database = (select d.oid from pg_database d where d.datname = current_database())
               and l.pid = pg_backend_pid() and l.mode = 'ExclusiveLock' and l.granted) then
        raise exception 'the tick lock of queue % is not held', i_queue
            using errcode = 'object_not_in_prerequisite_state', hint = 'call kaja.lock_ticks before the transaction';
    end if;

    select coalesce(max(t.tick_id), 0) into v_newest from pgq.tick t where t.tick_queue = v_queue.queue_id;
    v_tick := kaja.queue_insert_tick(v_queue.queue_id, null, null, kaja.queue_event_seq(v_queue.queue_event_seq), true);
    if v_tick is null
       -- The genuine extension's ticker knows no lock: one that came in between took the number.
       or (v_tick <> v_newest + 1 and exists (select 1 from pg_extension x where x.extname = 'pgq')) then
        raise exception 'the snapshot is older than the newest tick of queue %', i_queue
            using errcode = 'object_not_in_prerequisite_state',
                  hint = 'begin the transaction after kaja.lock_ticks, and try again';
    end if;
    return v_tick;
end;
$$;
