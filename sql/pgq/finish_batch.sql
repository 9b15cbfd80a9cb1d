-- Close a batch: its end becomes the consumer's position. Returns 1; 0 and a WARNING if the batch is not open.
create or replace function pgq.finish_batch(x_batch_id bigint) returns int
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update pgq.subscription s
       set sub_last_tick = s.sub_next_tick, sub_next_tick = null, sub_batch = null, sub_active = now()
     where s.sub_batch = x_batch_id;
    if not found then
        raise warning 'finish_batch: batch % not found', x_batch_id;
        return 0;
    end if;
    return 1;
end;
$$;
