-- Id of the consumer's open batch; opens the next one if there is a tick for it; null if not. Errors: see next_batch_custom.
create or replace function pgq.next_batch(i_queue_name text, i_consumer_name text) returns bigint
language plpgsql as $$
begin
    return (select b.batch_id from pgq.next_batch_custom(i_queue_name, i_consumer_name, null, null, null) b);
end;
$$;
