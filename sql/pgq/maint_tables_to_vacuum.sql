-- Tables with many short-lived rows that must be vacuumed by hand; none while autovacuum is on.
create or replace function pgq.maint_tables_to_vacuum() returns setof text
language plpgsql as $$
begin
    if current_setting('autovacuum') = 'on' then
        return;
    end if;
    return query
        select l.name
          from unnest(array['pgq.subscription', 'pgq.consumer', 'pgq.queue', 'pgq.tick', 'pgq.retry_queue',
                            'pgq_ext.completed_tick', 'pgq_ext.completed_batch', 'pgq_ext.completed_event',
                            'pgq_ext.partial_batch', 'pgq_node.local_state', 'londiste.seq_info', 'txid.epoch',
                            'londiste.completed']) with ordinality l(name, n)
         where to_regclass(l.name) is not null
         order by l.n;
end;
$$;
