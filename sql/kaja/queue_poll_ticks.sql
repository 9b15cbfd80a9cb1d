-- Store a tick in every queue that has a committed event which no tick covers, that pgq.force_tick was called for, or that is due
-- without one: as with pgq.ticker half of ticker_max_lag after the last event's, then after twice the time between the last two, and at last
-- every idle period. Programs that need further ticks to get on, as Londiste's copies do, wait for those.
-- To be called every 10 to 100 ms in a transaction of its own, by one session that lives long; more sessions do no harm.
-- A ticker that looks often while there is work learns whether there was any: the setting kaja.ticked tells it, for the rest of the
-- transaction: 'events', or 'idle' when no stored tick covers a new event.
-- i_idle_period: without an event tick only after this time; null: as said above. Returns the queues that ticked.
-- Queues with an external ticker, paused ones, and those whose tick lock is taken (also by who drops the queue) are passed over.
-- Error: Invalid PgQ state, if stored transaction ids are in the future.
--
-- What makes polling cheap is a note per queue in this session (setting kaja.polled_<queue_id>):
--   <tick> <event seq> look <time> <snapshot>   no event was visible in <snapshot>; writers were looked for at <time>
--   <tick> <event seq> quiet                    nothing to look for until the tick or the event sequence changes
-- A writer moves the sequence before it commits, often before it has a transaction id, so a sequence that stands still does
-- not mean that every event was seen. But moving it takes a lock on it until the end of the transaction: when nobody else
-- holds that lock, and no event is visible in a snapshot taken after that, the queue is quiet. Once a second is often enough
-- to look at locks.
create or replace function kaja.poll_ticks(i_idle_period interval default null, out queue_name text, out tick_id bigint)
returns setof record
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_queue    record;
    v_note     text[];
    v_snapshot txid_snapshot;
    v_base     txid_snapshot;
    v_now      numeric;
    v_looked   numeric;
    v_calm     boolean;
    v_ticked   text;
begin
    for v_queue in
        select q.queue_id, q.queue_name, q.queue_event_seq, t.tick_id, t.tick_snapshot, t.tick_event_seq, e.used as event_seq,
               string_to_array(current_setting('kaja.polled_' || q.queue_id, true), ' ') as note, d.is_due
          from pgq.queue q
         -- Sharing the tick lock keeps the queue from being dropped meanwhile; looking at one that is just dropped would wait, and then fail.
         cross join lateral (select case when pg_try_advisory_xact_lock_shared(1801546337, q.queue_id) then to_regclass(q.queue_event_seq) end as name offset 0) s
         cross join lateral (select coalesce(pg_sequence_last_value(s.name), 0) as used offset 0) e
          left join lateral (select k.tick_id, k.tick_time, k.tick_snapshot, k.tick_event_seq
                               from pgq.tick k where k.tick_queue = q.queue_id
                              order by k.tick_id desc limit 1) t on true
         cross join lateral (select t.tick_id is null or clock_timestamp() - t.tick_time >= coalesce(i_idle_period, q.queue_ticker_idle_period)
               -- So far only pgq.force_tick jumps, or very many events in one transaction, for which a tick does no harm.
               or e.used - t.tick_event_seq >= 2 * q.queue_ticker_max_count + 1000
               or i_idle_period is null and clock_timestamp() - t.tick_time >= q.queue_ticker_max_lag / 2
                  and clock_timestamp() - t.tick_time >= 2 * (t.tick_time - coalesce((
                      select k.tick_time from pgq.tick k where k.tick_queue = q.queue_id and k.tick_id < t.tick_id order by k.tick_id desc limit 1), t.tick_time))
               as is_due offset 0) d
         where not q.queue_external_ticker and not q.queue_ticker_paused and s.name is not null
           and (d.is_due
                or current_setting('kaja.polled_' || q.queue_id, true) is distinct from concat_ws(' ', t.tick_id, e.used, 'quiet'))
    loop
        v_note := case when v_queue.note[1] = v_queue.tick_id::text then v_queue.note end;

        if not v_queue.is_due then
            v_now := extract(epoch from clock_timestamp());
            v_calm := false;
            v_looked := v_now;
            if v_note[2] = v_queue.event_seq::text and v_note[3] = 'look' then
                v_looked := v_note[4];
                if v_now - v_looked >= 1 then
                    v_looked := v_now;
                    v_calm := not exists (
                        select 1 from pg_locks l
                         where l.locktype = 'relation' and l.relation = v_queue.queue_event_seq::regclass
                           and l.database = (select d.oid from pg_database d where d.datname = current_database())
                           and l.mode = 'RowExclusiveLock' and l.pid is distinct from pg_backend_pid());
                end if;
            end if;

            v_snapshot := txid_current_snapshot();
            v_base := coalesce(v_note[5]::txid_snapshot, v_queue.tick_snapshot);
            if txid_snapshot_xmax(v_snapshot) >= txid_snapshot_xmax(v_queue.tick_snapshot)
               and (v_base::text = v_snapshot::text or not kaja.queue_holds_events(v_queue.queue_id, v_base, v_snapshot)) then
                perform set_config('kaja.polled_' || v_queue.queue_id,
                    concat_ws(' ', v_queue.tick_id, v_queue.event_seq,
                              case when v_calm then 'quiet' else concat_ws(' ', 'look', v_looked, v_snapshot) end), false);
                continue;
            end if;
        end if;

        continue when not pg_try_advisory_xact_lock(1801546337, v_queue.queue_id);
        -- Somebody else may have stored a tick before this session got the lock; the next poll looks at it.
        continue when v_queue.tick_id is distinct from
                      (select max(k.tick_id) from pgq.tick k where k.tick_queue = v_queue.queue_id);
        if txid_snapshot_xmin(v_queue.tick_snapshot) > txid_current() then
            raise exception 'Invalid PgQ state: old xmin=%, old xmax=%, cur txid=%', txid_snapshot_xmin(v_queue.tick_snapshot),
                txid_snapshot_xmax(v_queue.tick_snapshot), txid_current();
        end if;
        tick_id := kaja.queue_insert_tick(v_queue.queue_id, null, null, kaja.queue_event_seq(v_queue.queue_event_seq));
        if tick_id is not null then
            queue_name := v_queue.queue_name;
            v_ticked := case when v_ticked = 'events' or v_queue.event_seq is distinct from v_queue.tick_event_seq then 'events' else 'idle' end;
            return next;
        end if;
    end loop;
    if v_ticked is not null then
        perform set_config('kaja.ticked', v_ticked, true);
    end if;
end;
$$;
