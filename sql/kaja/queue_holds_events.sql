-- Does the queue hold an event whose transaction is visible in i_to and not in i_from? Looks into the txid index of the
-- event tables, the current one first.
create or replace function kaja.queue_holds_events(i_queue_id int, i_from txid_snapshot, i_to txid_snapshot) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_queue  record;
    v_listed bigint[] := array(select r.xid from txid_snapshot_xip(i_from) r(xid) where txid_visible_in_snapshot(r.xid, i_to));
    v_test   text;
    v_holds  boolean;
begin
    select q.queue_ntables, q.queue_cur_table, q.queue_data_pfx into v_queue from pgq.queue q where q.queue_id = i_queue_id;
    v_test := case when exists (select 1 from txid_snapshot_xip(i_to) r(xid) where r.xid >= txid_snapshot_xmax(i_from))
                   then ' and txid_visible_in_snapshot(e.ev_txid, $4)' else '' end;
    for n in 0 .. v_queue.queue_ntables - 1 loop
        execute format('select exists (select 1 from %1$s e where e.ev_txid >= $1 and e.ev_txid < $2%2$s)'
                    || case when cardinality(v_listed) > 0
                            then ' or exists (select 1 from %1$s e where e.ev_txid = any ($3))' else '' end,
                       v_queue.queue_data_pfx || '_' || (v_queue.queue_cur_table + n) % v_queue.queue_ntables, v_test)
           into v_holds using txid_snapshot_xmax(i_from), txid_snapshot_xmax(i_to), v_listed, i_to;
        if v_holds then
            return true;
        end if;
    end loop;
    return false;
end;
$$;
