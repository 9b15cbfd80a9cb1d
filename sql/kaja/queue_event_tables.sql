-- Event tables that hold events between two snapshots of a queue.
--
-- First the tables that rotation says: the current one and, unless the switch to it is wholly in the past, the one before.
-- Then every other table that holds such an event: a writer whose snapshot is older than a rotation (REPEATABLE READ)
-- still writes to the table that was current then.
--
-- Tables that turn out to hold none are not kept locked, because rotation does not wait for a lock on the table it is about
-- to empty: the look-up is rolled back.
create or replace function kaja.queue_event_tables(i_queue_id int, i_from txid_snapshot, i_to txid_snapshot) returns setof text
language plpgsql as $$
declare
    v_queue    record;
    v_previous int;
    v_known    int[];
    v_other    int;
    v_listed   bigint[];
    v_holds    boolean;
begin
    select q.queue_ntables, q.queue_cur_table, q.queue_switch_step1, q.queue_switch_step2, q.queue_data_pfx into v_queue
      from pgq.queue q where q.queue_id = i_queue_id;
    if not found then
        return;
    end if;
    v_previous := (v_queue.queue_cur_table + v_queue.queue_ntables - 1) % v_queue.queue_ntables;
    if txid_snapshot_xmax(i_to) < v_queue.queue_switch_step1 then
        v_known := array[v_previous];
    elsif txid_snapshot_xmin(i_from) > v_queue.queue_switch_step2 then
        v_known := array[v_queue.queue_cur_table];
    elsif v_previous = v_queue.queue_cur_table then
        v_known := array[v_previous];
    else
        v_known := array[v_previous, v_queue.queue_cur_table];
    end if;
    return query select v_queue.queue_data_pfx || '_' || k.n from unnest(v_known) with ordinality k(n, i) order by k.i;

    v_listed := array(select r.xid from txid_snapshot_xip(i_from) r(xid) where txid_visible_in_snapshot(r.xid, i_to));
    for v_other in 0 .. v_queue.queue_ntables - 1 loop
        continue when v_other = any (v_known);
        begin
            execute format(
                'select exists (select 1 from %1$s e where e.ev_txid >= $1 and e.ev_txid < $2 and txid_visible_in_snapshot(e.ev_txid, $3))'
                '    or exists (select 1 from %1$s e where e.ev_txid = any ($4))',
                pgq.quote_fqname(v_queue.queue_data_pfx || '_' || v_other))
               into v_holds using txid_snapshot_xmax(i_from), txid_snapshot_xmax(i_to), i_to, v_listed;
            if not v_holds then
                raise exception 'release the lock' using errcode = 'KJ000';
            end if;
            return next v_queue.queue_data_pfx || '_' || v_other;
        exception when sqlstate 'KJ000' then
            null;
        end;
    end loop;
end;
$$;
