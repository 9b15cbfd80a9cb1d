-- Store a tick whose snapshot is one that a hot standby of this database reads with, so that the standby shows exactly that tick.
-- A standby does not tell which transactions its snapshot leaves out; the events that it shows tell. A transaction without events
-- of the queue counts as running, which changes nothing: it adds no event to any batch.
--   i_snapshot  what txid_current_snapshot() says on the standby: its lowest running and its first future transaction
--   i_visible   transactions from the lowest running one on of which that snapshot shows events of the queue
-- Result: the id; null while something that the standby shows is not visible here yet: try again.
-- The session must hold the queue's tick lock (kaja.lock_ticks) since before the standby replayed the newest tick.
-- Errors: 55000 lock not held, the standby does not show the newest tick, a transaction has run for too long; external ticker.
create or replace function kaja.tick_of_standby(i_queue text, i_snapshot txid_snapshot, i_visible bigint[]) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_queue  record;
    v_newest txid_snapshot;
    v_own    txid_snapshot := txid_current_snapshot();
    v_xmin   bigint := txid_snapshot_xmin(i_snapshot);
    v_xmax   bigint := txid_snapshot_xmax(i_snapshot);
    v_running bigint[];
    v_tick   bigint;
begin
    select q.queue_id, q.queue_name, q.queue_event_seq, q.queue_tick_seq, q.queue_external_ticker into v_queue from pgq.queue q where q.queue_name = i_queue;
    if not found then
        raise exception 'Event queue not found: %', i_queue;
    end if;
    if v_queue.queue_external_ticker then
        raise exception 'This queue has external tick source.';
    end if;
    if not exists (
            select 1 from pg_locks l
             where l.locktype = 'advisory' and l.classid = 1801546337 and l.objid = v_queue.queue_id and l.objsubid = 2
               and l.database = (select d.oid from pg_database d where d.datname = current_database())
               and l.pid = pg_backend_pid() and l.mode = 'ExclusiveLock' and l.granted) then
        raise exception 'the tick lock of queue % is not held', i_queue
            using errcode = 'object_not_in_prerequisite_state', hint = 'call kaja.lock_ticks before the standby is asked';
    end if;
    select t.tick_snapshot into v_newest from pgq.tick t where t.tick_queue = v_queue.queue_id order by t.tick_id desc limit 1;
    if v_xmax < txid_snapshot_xmax(v_newest) then
        raise exception 'the standby does not show the newest tick of queue %', i_queue
            using errcode = 'object_not_in_prerequisite_state', hint = 'wait until it has replayed it, and try again';
    end if;
    if v_xmax - v_xmin > 1000000 then
        raise exception 'transaction % has run for too long: % others have begun since', v_xmin, v_xmax - v_xmin
            using errcode = 'object_not_in_prerequisite_state', hint = 'wait until it has ended';
    end if;
    -- A commit can be replayed there before it is visible here; the next tick must show it.
    if v_xmax > txid_snapshot_xmax(v_own)
       or exists (select 1 from txid_snapshot_xip(v_own) r(xid) where r.xid < v_xmin or r.xid = any (i_visible)) then
        return null;
    end if;
    -- What the newest tick shows had ended before.
    v_running := array(
        select g.xid from generate_series(v_xmin, v_xmax - 1) g(xid)
        except select v.xid from unnest(i_visible) v(xid)
        except select g.xid from generate_series(v_xmin, txid_snapshot_xmax(v_newest) - 1) g(xid) where txid_visible_in_snapshot(g.xid, v_newest)
         order by 1);
    v_tick := nextval(v_queue.queue_tick_seq::regclass);
    insert into pgq.tick (tick_queue, tick_id, tick_time, tick_snapshot, tick_event_seq)
    values (v_queue.queue_id, v_tick, now(),
            format('%s:%s:%s', coalesce(v_running[1], v_xmax), v_xmax, array_to_string(v_running, ','))::txid_snapshot,
            kaja.queue_event_seq(v_queue.queue_event_seq));
    perform pg_notify('kaja_tick', v_queue.queue_name);
    return v_tick;
end;
$$;
