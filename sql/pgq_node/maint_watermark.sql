-- Ticker's maintenance: publish the watermark of a root whose worker has not done it for five minutes.
-- Result: always 0 (no need to call again), also for a queue that is no root here. Locks the node row.
create or replace function pgq_node.maint_watermark(i_queue_name text) returns int4
language plpgsql as $$
declare
    v_lag interval;
begin
    perform from pgq_node.node_info n
     where n.queue_name = i_queue_name and n.node_type = 'root' for update;
    if not found then
        return 0;
    end if;
    select i.lag into v_lag from pgq.get_consumer_info(i_queue_name, '.global_watermark') i;
    if v_lag >= interval '5 minutes' then
        perform pgq_node.set_global_watermark(i_queue_name, null);
    end if;
    return 0;
end;
$$;
