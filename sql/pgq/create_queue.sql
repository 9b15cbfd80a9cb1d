-- Create a queue: its row, sequences, event tables, rights and first tick.
-- Returns 1, or 0 if it exists (also when another session creates it at the same time). Error: Invalid NULL value.
create or replace function pgq.create_queue(i_queue_name text) returns int
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_id      int;
    v_ntables int;
    v_parent  text;
    v_events  text;
    v_ticks   text;
begin
    if i_queue_name is null then
        raise exception 'Invalid NULL value';
    end if;
    if exists (select 1 from pgq.queue q where q.queue_name = i_queue_name) then
        return 0;
    end if;

    v_id := nextval('pgq.queue_queue_id_seq');
    v_parent := 'pgq.event_' || v_id;
    v_events := v_parent || '_id_seq';
    v_ticks := v_parent || '_tick_seq';
    insert into pgq.queue (queue_id, queue_name, queue_data_pfx, queue_event_seq, queue_tick_seq)
    values (v_id, i_queue_name, v_parent, v_events, v_ticks)
        on conflict (queue_name) do nothing
    returning queue_ntables into v_ntables;
    if not found then
        return 0;
    end if;

    execute format('create sequence %s', pgq.quote_fqname(v_ticks));
    execute format('create sequence %s', pgq.quote_fqname(v_events));
    execute format('create table %s () inherits (pgq.event_template)', pgq.quote_fqname(v_parent));
    for n in 0 .. v_ntables - 1 loop
        execute format('create table %s () inherits (%s)',
                       pgq.quote_fqname(v_parent || '_' || n), pgq.quote_fqname(v_parent));
        execute format('alter table %s alter column ev_id set default nextval(%L)',
                       pgq.quote_fqname(v_parent || '_' || n), v_events);
        execute format('create index %I on %s (ev_txid)',
                       'event_' || v_id || '_' || n || '_txid_idx', pgq.quote_fqname(v_parent || '_' || n));
    end loop;

    perform pgq.grant_perms(i_queue_name);
    perform pgq.ticker(i_queue_name);
    perform pgq.tune_storage(i_queue_name);
    return 1;
end;
$$;
