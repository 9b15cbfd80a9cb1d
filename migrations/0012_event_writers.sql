-- schema: kaja
-- Generated functions that write events (sql/kaja/queue_put_event.sql) follow pgq.queue; a limit of events per transaction is shown to
-- writers like disabled inserts are, by 100 in kaja.current_table_<queue_id>, so that they look into pgq.queue.

-- It finds the names itself now.
drop function if exists kaja.trigger_override(text[], text[], text[], anyelement);

-- The body comes from sql/kaja/queue_put_event.sql; the triggers below need the name.
create or replace function kaja.sync_put_event() returns trigger
language plpgsql as $$
begin
    raise exception 'function kaja.sync_put_event() is not installed';
end;
$$;

create trigger kaja_put_event
    after delete on pgq.queue
    for each row execute function kaja.sync_put_event();

create trigger kaja_put_event_change
    after update on pgq.queue
    for each row when ((old.queue_name, old.queue_ntables, old.queue_data_pfx, old.queue_event_seq)
        is distinct from (new.queue_name, new.queue_ntables, new.queue_data_pfx, new.queue_event_seq))
    execute function kaja.sync_put_event();

create constraint trigger kaja_put_event_commit
    after insert or delete on pgq.queue deferrable initially deferred
    for each row execute function kaja.sync_put_event('commit');

create constraint trigger kaja_put_event_change_commit
    after update on pgq.queue deferrable initially deferred
    for each row when ((old.queue_name, old.queue_ntables, old.queue_data_pfx, old.queue_event_seq)
        is distinct from (new.queue_name, new.queue_ntables, new.queue_data_pfx, new.queue_event_seq))
    execute function kaja.sync_put_event('commit');

drop trigger kaja_current_table_disable on pgq.queue;
create trigger kaja_current_table_disable
    after update on pgq.queue
    for each row when (new.queue_disable_insert and not old.queue_disable_insert
        or new.queue_per_tx_limit >= 0 and old.queue_per_tx_limit is distinct from new.queue_per_tx_limit)
    execute function kaja.sync_current_table();

drop trigger kaja_current_table_commit on pgq.queue;
create constraint trigger kaja_current_table_commit
    after update on pgq.queue deferrable initially deferred
    for each row when (old.queue_cur_table is distinct from new.queue_cur_table
        or old.queue_switch_step2 is distinct from new.queue_switch_step2
        or old.queue_disable_insert is distinct from new.queue_disable_insert
        or old.queue_per_tx_limit is distinct from new.queue_per_tx_limit)
    execute function kaja.sync_current_table();

alter table pgq.queue enable always trigger kaja_put_event;
alter table pgq.queue enable always trigger kaja_put_event_change;
alter table pgq.queue enable always trigger kaja_put_event_commit;
alter table pgq.queue enable always trigger kaja_put_event_change_commit;
alter table pgq.queue enable always trigger kaja_current_table_disable;
alter table pgq.queue enable always trigger kaja_current_table_commit;
