-- Finish a consumer's batch, open its next one and hand out the events of a small one, all in one statement.
-- i_finish: batch to finish first, or null. i_max_events, i_max_ticks, i_max_tick: as for kaja.next_batch.
-- i_tables: logical names (ev_extra1) of wanted tables; news about the set come always. i_max_rows, i_max_bytes: events are
-- handed out only if all wanted ones together are not more than so many, and not more than so many bytes of data.
-- Result: the events in order of their ids; then one row that tells about the batch, with ev_id null: ev_type is 'all' when
-- all wanted events came before it, else 'many' (read them with kaja.event_range_sql), ev_data is '<batch> <tick>
-- <previous tick>', ev_extra1 is 'newest' when there is no later tick. No row at all if there is nothing to open.
-- Without statistics of tables that only grow the planner might scan all of one, or start parallel workers for each batch, which
-- takes longer than reading it.
-- Events are read with the caller's rights. Errors: as kaja.next_batch.
create or replace function kaja.take_batch(
    i_queue text, i_consumer text, i_finish bigint, i_max_events bigint, i_max_ticks int, i_max_tick bigint,
    i_tables text[], i_max_rows int, i_max_bytes int,
    out ev_id bigint, out ev_type text, out ev_data text, out ev_extra1 text)
returns setof record
language plpgsql set enable_seqscan = off set max_parallel_workers_per_gather = 0 as $$
declare
    v_batch record;
    v_range text;
begin
    if i_finish is not null then
        perform pgq.finish_batch(i_finish);
    end if;
    select b.batch_id, b.cur_tick_id, b.prev_tick_id, b.cur_tick_event_seq - b.prev_tick_event_seq as events into v_batch
      from kaja.next_batch(i_queue, i_consumer, i_max_events, i_max_ticks, i_max_tick) b;
    if v_batch.batch_id is null then
        return;
    end if;

    ev_type := 'many';
    -- Numbers of the event sequence tell what to expect; a transaction that ended late may bring more.
    if v_batch.events <= 4 * i_max_rows then
        -- No order below the limit: of a huge range only so many rows are read. Sizes are known without reading what is
        -- stored out of line.
        v_range := kaja.event_union_sql(i_queue, v_batch.prev_tick_id, v_batch.cur_tick_id, null,
            format('ev_extra1 = any (%L::pg_catalog.text[]) or ev_type like ''pgq.%%'' or ev_type like ''londiste.%%'' or ev_type = ''EXECUTE''',
                   i_tables));
        return query execute format(
            'with e as materialized (select r.ev_id, r.ev_type, r.ev_data, r.ev_extra1 from (%s limit %s) r)'
            ' select e.ev_id, e.ev_type, e.ev_data, e.ev_extra1 from e'
            '  where (select count(*) <= %s and coalesce(sum(octet_length(e.ev_data)), 0) <= %s from e) order by e.ev_id',
            v_range, i_max_rows + 1, i_max_rows, i_max_bytes);
        if found then
            ev_type := 'all';
        else
            execute format('select case when exists (%s) then ''many'' else ''all'' end', v_range) into ev_type;
        end if;
    end if;
    ev_data := concat_ws(' ', v_batch.batch_id, v_batch.cur_tick_id, v_batch.prev_tick_id);
    ev_extra1 := case when not exists (select 1 from pgq.tick t join pgq.queue q on q.queue_id = t.tick_queue
                                        where q.queue_name = i_queue and t.tick_id > v_batch.cur_tick_id)
                      then 'newest' end;
    return next;
end;
$$;
