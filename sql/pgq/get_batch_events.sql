-- Events of an open batch in order of ev_id; may be called again and again. Error: batch not found.
-- Settings: as for kaja.take_batch.
create or replace function pgq.get_batch_events(
    x_batch_id bigint,
    out ev_id bigint, out ev_time timestamptz, out ev_txid bigint, out ev_retry int, out ev_type text, out ev_data text,
    out ev_extra1 text, out ev_extra2 text, out ev_extra3 text, out ev_extra4 text) returns setof record
language plpgsql set enable_seqscan = off set max_parallel_workers_per_gather = 0 as $$
begin
    return query execute pgq._batch_sql(x_batch_id, null);
end;
$$;
