-- Trigger function on pgq.queue: creates, sets and drops kaja.current_table_<queue_id>.
-- A number changes only when rotation's second step is done: the rotation transaction still holds its lock on the new table
-- before that, and writers must not wait for it. The genuine pgq extension never looks back into the old table after step 2,
-- so there writers have to move at step 1 already.
create or replace function kaja.sync_current_table() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_sequence text;
    v_number   bigint;
begin
    if tg_op = 'DELETE' then
        execute format('drop sequence if exists kaja.%I', 'current_table_' || old.queue_id);
        return null;
    end if;
    v_sequence := format('kaja.%I', 'current_table_' || new.queue_id);
    v_number := new.queue_cur_table;
    if tg_op = 'INSERT' then
        execute format('create sequence if not exists %s minvalue 0', v_sequence);
    elsif new.queue_switch_step2 is null
          and not exists (select 1 from pg_catalog.pg_extension x where x.extname = 'pgq') then
        v_number := coalesce(pg_sequence_last_value(v_sequence::regclass) % 100, v_number);
    end if;
    perform setval(v_sequence::regclass, v_number + case when new.queue_disable_insert or new.queue_per_tx_limit >= 0 then 100 else 0 end);
    return null;
end;
$$;
