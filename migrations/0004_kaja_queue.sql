-- schema: kaja
-- One sequence per queue, kaja.current_table_<queue_id>, tells writers without a snapshot which event table is current:
-- its value is queue_cur_table, plus 100 while inserts are disabled. Triggers on pgq.queue keep it.

create schema if not exists kaja;

-- The body of this function comes from sql/kaja/queue_sync_current_table.sql; the triggers below need the name.
create or replace function kaja.sync_current_table() returns trigger
language plpgsql as $$
begin
    raise exception 'function kaja.sync_current_table() is not installed';
end;
$$;

do $$
declare
    v_queue record;
begin
    for v_queue in
        select q.queue_id, q.queue_cur_table, q.queue_disable_insert from pgq.queue q
    loop
        execute format('create sequence kaja.%I minvalue 0 start %s', 'current_table_' || v_queue.queue_id,
                       v_queue.queue_cur_table + case when v_queue.queue_disable_insert then 100 else 0 end);
        -- Called once, so that last_value counts.
        perform nextval(format('kaja.%I', 'current_table_' || v_queue.queue_id));
    end loop;
end;
$$;

create trigger kaja_current_table
    after insert or delete on pgq.queue
    for each row execute function kaja.sync_current_table();

-- Disabling is shown at once: a writer who sees it looks into pgq.queue before it refuses.
create trigger kaja_current_table_disable
    after update on pgq.queue
    for each row when (new.queue_disable_insert and not old.queue_disable_insert)
    execute function kaja.sync_current_table();

-- Everything else is shown at commit, because a sequence does not follow a rollback.
create constraint trigger kaja_current_table_commit
    after update on pgq.queue deferrable initially deferred
    for each row when (old.queue_cur_table is distinct from new.queue_cur_table
        or old.queue_switch_step2 is distinct from new.queue_switch_step2
        or old.queue_disable_insert is distinct from new.queue_disable_insert)
    execute function kaja.sync_current_table();

-- Also in sessions that apply changes.
alter table pgq.queue enable always trigger kaja_current_table;
alter table pgq.queue enable always trigger kaja_current_table_disable;
alter table pgq.queue enable always trigger kaja_current_table_commit;
