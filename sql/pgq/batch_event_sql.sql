-- Text of the SELECT that reads an open batch: ten event columns, ordered by ev_id. Error: batch not found.
create or replace function pgq.batch_event_sql(x_batch_id bigint) returns text
language plpgsql as $$
begin
    return pgq._batch_sql(x_batch_id, null);
end;
$$;
