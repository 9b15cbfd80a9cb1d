-- Snapshot for a tick: what a new statement sees, with the calling transaction itself as not yet visible.
-- txid_current_snapshot() leaves its own transaction out of the list of running ones, so whether it counts as visible would
-- depend on what else has finished meanwhile. Assigns a transaction id.
create or replace function kaja.queue_snapshot() returns txid_snapshot
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_own      bigint := txid_current();
    v_snapshot txid_snapshot := txid_current_snapshot();
begin
    if v_own >= txid_snapshot_xmax(v_snapshot) then
        return v_snapshot;
    end if;
    return (select format('%s:%s:%s', least(v_own, txid_snapshot_xmin(v_snapshot)), txid_snapshot_xmax(v_snapshot),
                          string_agg(r.xid::text, ',' order by r.xid))
              from (select v_own as xid union select txid_snapshot_xip(v_snapshot)) r)::txid_snapshot;
end;
$$;
