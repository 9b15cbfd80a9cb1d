-- Take the tick lock of a queue until the end of the transaction. Whoever stores a tick takes it before reading the newest
-- tick and taking the snapshot, so ticks follow each other like their snapshots. The key is part of kaja's contract.
create or replace function pgq._tick_lock(i_queue_id int) returns void
language sql as $$
    select pg_catalog.pg_advisory_xact_lock(1801546337, i_queue_id)
$$;
