-- Move up to 10 due retry events back into their queues, for their owners only. Returns how many; call again until 0.
-- Events of queues that refuse inserts stay and do not hold up the others.
-- Lock: SHARE UPDATE EXCLUSIVE on pgq.retry_queue, a second mover waits.
create or replace function pgq.maint_retry_events() returns int
language plpgsql as $$
declare
    v_event record;
    v_used  int;
    v_moved int := 0;
begin
    lock table pgq.retry_queue in share update exclusive mode;
    for v_event in
        select q.queue_name, q.queue_id, q.queue_per_tx_limit, r.*
          from pgq.retry_queue r
          join pgq.queue q on q.queue_id = r.ev_queue
         where r.ev_retry_after <= current_timestamp
           and (not q.queue_disable_insert or current_setting('session_replication_role') = 'replica')
           and q.queue_per_tx_limit is distinct from 0
         order by r.ev_retry_after
         limit 10
    loop
        -- The rest of such a queue follows in the next call's transaction.
        v_used := nullif(current_setting('kaja.tx_events_' || v_event.queue_id, true), '');
        continue when v_event.queue_per_tx_limit >= 0 and v_used >= v_event.queue_per_tx_limit;
        perform pgq.insert_event_raw(v_event.queue_name, v_event.ev_id, v_event.ev_time, v_event.ev_owner, v_event.ev_retry,
                                     v_event.ev_type, v_event.ev_data, v_event.ev_extra1, v_event.ev_extra2,
                                     v_event.ev_extra3, v_event.ev_extra4);
        delete from pgq.retry_queue r where r.ev_owner = v_event.ev_owner and r.ev_id = v_event.ev_id;
        v_moved := v_moved + 1;
    end loop;
    return v_moved;
end;
$$;
