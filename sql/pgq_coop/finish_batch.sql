-- Close a worker's batch. Returns 1; 0 and a WARNING if the batch is not open. A batch of an ordinary consumer is finished as by
-- pgq.finish_batch: the consumer's position must not get lost.
create or replace function pgq_coop.finish_batch(i_batch_id bigint) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update pgq.subscription s
       set sub_batch = null, sub_last_tick = null, sub_next_tick = null, sub_active = now()
      from pgq.consumer c
     where s.sub_batch = i_batch_id and c.co_id = s.sub_consumer
       and exists (select 1 from pgq.subscription m join pgq.consumer mc on mc.co_id = m.sub_consumer
                    where m.sub_queue = s.sub_queue and m.sub_id = s.sub_id and m.sub_consumer <> s.sub_consumer
                      and starts_with(c.co_name, mc.co_name || '.'));
    if found then
        return 1;
    end if;
    if exists (select 1 from pgq.subscription s where s.sub_batch = i_batch_id) then
        return pgq.finish_batch(i_batch_id);
    end if;
    raise warning 'coop_finish_batch: batch % not found', i_batch_id;
    return 0;
end;
$$;
