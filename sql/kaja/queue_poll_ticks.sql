-- Store a tick in every queue that has a committed event which no tick covers, or whose newest tick is older than the idle
-- period. To be called every 10 to 100 ms in a transaction of its own, by one session that lives long; more sessions do no harm.
-- i_idle_period: replaces queue_ticker_idle_period; null: each queue's own. Returns the queues that ticked.
-- Queues with an external ticker, paused ones, and those whose tick lock is taken are passed over.
-- Error: Invalid PgQ state, if stored transaction ids are in the future.
--
-- What makes polling cheap is a note per queue in this session (setting kaja.polled_<queue_id>): "<tick> <event seq> …".
--   look   <since> <snapshot>  no event was visible in <snapshot>; the sequence stands there since <since>
--   fence  <xid> <snapshot>    the same; every transaction that moved the sequence so far has an id below <xid>
--   quiet                      and all of them have ended: until the sequence moves there is nothing to look for
-- A writer moves the sequence before it commits, so a sequence that stands still does not mean that all events were seen;
-- only "quiet" does. The transaction id is assigned before the sequence moves or a moment later (direct INSERT, genuine
-- extension), hence the wait of a second before the fence.
create or replace function kaja.poll_ticks(i_idle_period interval default null, out queue_name text, out tick_id bigint)
returns setof record
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_queue    record;
    v_note     text[];
    v_snapshot txid_snapshot;
    v_base     txid_snapshot;
    v_since    timestamptz;
    v_name     text;
    v_fenced   bigint;
begin
    for v_queue in
        select q.queue_id, q.queue_name, q.queue_event_seq, t.tick_id, t.tick_snapshot, e.used as event_seq,
               string_to_array(current_setting('kaja.polled_' || q.queue_id, true), ' ') as note,
               t.tick_id is null or clock_timestamp() - t.tick_time >= coalesce(i_idle_period, q.queue_ticker_idle_period) as is_due
          from pgq.queue q
         cross join lateral (select coalesce(pg_sequence_last_value(q.queue_event_seq::regclass), 0) as used offset 0) e
          left join lateral (select k.tick_id, k.tick_time, k.tick_snapshot
                               from pgq.tick k where k.tick_queue = q.queue_id
                              order by k.tick_id desc limit 1) t on true
         where not q.queue_external_ticker and not q.queue_ticker_paused
           and (t.tick_id is null
                or clock_timestamp() - t.tick_time >= coalesce(i_idle_period, q.queue_ticker_idle_period)
                or current_setting('kaja.polled_' || q.queue_id, true) is distinct from concat_ws(' ', t.tick_id, e.used, 'quiet'))
    loop
        v_name := 'kaja.polled_' || v_queue.queue_id;
        v_note := v_queue.note;
        if v_note[1] is distinct from v_queue.tick_id::text then
            v_note := null;
        end if;

        if not v_queue.is_due then
            v_snapshot := txid_current_snapshot();
            v_base := coalesce(nullif(v_note[5], '')::txid_snapshot, v_queue.tick_snapshot);
            if txid_snapshot_xmax(v_snapshot) >= txid_snapshot_xmax(v_queue.tick_snapshot)
               and (v_base::text = v_snapshot::text or not kaja.queue_holds_events(v_queue.queue_id, v_base, v_snapshot)) then
                if v_note[2] is distinct from v_queue.event_seq::text then
                    v_note := array[v_queue.tick_id::text, v_queue.event_seq::text, 'look', extract(epoch from clock_timestamp())::text, ''];
                elsif v_note[3] = 'look' and extract(epoch from clock_timestamp()) - v_note[4]::numeric >= 1 then
                    v_note[3] := 'fence';
                    v_note[4] := txid_current();
                elsif v_note[3] = 'fence' and txid_snapshot_xmin(v_snapshot) > v_note[4]::bigint then
                    v_note := array[v_queue.tick_id::text, v_queue.event_seq::text, 'quiet'];
                end if;
                if v_note[3] <> 'quiet' then
                    v_note[5] := v_snapshot;
                end if;
                perform set_config(v_name, array_to_string(v_note, ' '), false);
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
            return next;
        end if;
    end loop;
end;
$$;
