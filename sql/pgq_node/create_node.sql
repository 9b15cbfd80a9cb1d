-- Make this database a node of a cascaded queue. Its own location and its provider's must be registered before.
--   i_node_type         root, branch or leaf
--   i_worker_name       consumer name of the process that will maintain the node
--   i_provider_name     branch, leaf: node to read from
--   i_global_watermark  branch, leaf: tick to start from
--   i_combined_queue    leaf: local queue that collects the events of this one
-- Result: 200, or 401 with nothing changed. Error: foreign key violation without the locations, not-null violation
-- for a leaf without provider or watermark.
create or replace function pgq_node.create_node(
    in i_queue_name text, in i_node_type text, in i_node_name text, in i_worker_name text, in i_provider_name text,
    in i_global_watermark bigint, in i_combined_queue text,
    out ret_code int4, out ret_note text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_provider text := i_provider_name;
    v_tick     bigint := i_global_watermark;
begin
    ret_code := 401;
    if exists (select from pgq_node.node_info n where n.queue_name = i_queue_name) then
        ret_note := 'Node already initialized';
        return;
    end if;
    if i_node_type = 'root' then
        if coalesce(i_provider_name, i_global_watermark::text, i_combined_queue) is not null then
            ret_note := 'unexpected args for root';
            return;
        end if;
    elsif i_node_type = 'branch' then
        if i_provider_name is null then
            ret_note := 'provider not set for branch';
            return;
        end if;
        if i_global_watermark is null then
            ret_note := 'global watermark not set for branch';
            return;
        end if;
    elsif i_node_type = 'leaf' then
        if i_combined_queue is not null
           and not exists (select from pgq.queue q where q.queue_name = i_combined_queue) then
            ret_note := 'non-existing queue on leaf side: ' || i_combined_queue;
            return;
        end if;
    else
        ret_note := 'bad node type: ' || coalesce(i_node_type, 'NULL');
        return;
    end if;

    if i_node_type = 'root' then
        perform pgq.create_queue(i_queue_name);
        perform pgq.register_consumer(i_queue_name, '.global_watermark');
        v_provider := i_node_name;
        v_tick := pgq_node._consumer_tick(i_queue_name, '.global_watermark');
    elsif i_node_type = 'branch' then
        perform pgq.create_queue(i_queue_name);
        update pgq.queue q set queue_external_ticker = true, queue_disable_insert = true
         where q.queue_name = i_queue_name;
        if i_global_watermark > 1 then
            perform pgq.ticker(i_queue_name, i_global_watermark, now(), 1);
        end if;
        perform pgq.register_consumer_at(i_queue_name, '.global_watermark', i_global_watermark);
    end if;

    insert into pgq_node.node_info (queue_name, node_type, node_name, worker_name, combined_queue)
    values (i_queue_name, i_node_type, i_node_name, i_worker_name, i_combined_queue);
    insert into pgq_node.local_state (queue_name, consumer_name, provider_node, last_tick_id)
    values (i_queue_name, i_worker_name, v_provider, v_tick);

    ret_code := 200;
    ret_note := format('Node "%s" initialized for queue "%s" with type "%s"', i_node_name, i_queue_name, i_node_type);
end;
$$;
