-- How far a queue's event sequence has been used; 0 when it never was. (last_value alone says 1 before and after the first
-- event, so the first event would not look like activity.)
-- i_sequence: pgq.queue.queue_event_seq.
create or replace function kaja.queue_event_seq(i_sequence text) returns bigint
language sql volatile as $$
    select coalesce(pg_catalog.pg_sequence_last_value(i_sequence::pg_catalog.regclass), 0)
$$;
