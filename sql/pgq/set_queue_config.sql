-- Change a setting of a queue. Always 1.
-- x_param_name: column of pgq.queue without "queue_"; ticker_max_count, ticker_max_lag, ticker_idle_period, ticker_paused,
-- rotation_period or external_ticker. Errors: Invalid NULL value; No such event queue; cannot change parameter; 22004 for
-- a null value.
create or replace function pgq.set_queue_config(x_queue_name text, x_param_name text, x_param_value text) returns int
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if x_queue_name is null or x_param_name is null then
        raise exception 'Invalid NULL value';
    end if;
    if not exists (select 1 from pgq.queue q where q.queue_name = x_queue_name) then
        raise exception 'No such event queue';
    end if;
    if x_param_name not in ('ticker_max_count', 'ticker_max_lag', 'ticker_idle_period', 'ticker_paused',
                            'rotation_period', 'external_ticker') then
        -- The s is upstream's.
        raise exception 'cannot change parameter "%s"', x_param_name;
    end if;
    -- quote_literal, not %L: a null value must not become the keyword.
    execute format('update pgq.queue set %I = ', 'queue_' || x_param_name) || quote_literal(x_param_value)
         || format(' where queue_name = %L', x_queue_name);
    return 1;
end;
$$;
