-- First step of rotation: empty the next event table and make it current, if the rotation period is over. Always 0, also
-- when nothing happened. pgq.maint_rotate_tables_step2 must follow in a later transaction.
-- Refuses while a consumer needs older tables, or while the table to be emptied holds an event that the slowest consumer has
-- not passed (written by a transaction with a snapshot from before an earlier rotation).
-- Errors: queue <q> maint failure. Locks: queue row, then ACCESS EXCLUSIVE on the next table, for which it waits 50 ms at most.
create or replace function pgq.maint_rotate_tables_step1(i_queue_name text) returns int
language plpgsql as $$
declare
    v_queue   record;
    v_lowest  bigint;
    v_passed  txid_snapshot;
    v_next    int;
    v_table   text;
    v_timeout text := current_setting('lock_timeout');
    v_needed  boolean;
begin
    select q.queue_id, q.queue_ntables, q.queue_cur_table, q.queue_switch_step1, q.queue_switch_step2, q.queue_data_pfx
      into v_queue
      from pgq.queue q
     where q.queue_name = i_queue_name
       and q.queue_rotation_period is not null
       and q.queue_switch_step2 is not null
       and q.queue_switch_time + q.queue_rotation_period < current_timestamp
       for update;
    if not found then
        return 0;
    end if;
    if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
        -- This transaction cannot see what was written to the table since its snapshot.
        raise warning 'queue % is not rotated: rotation needs READ COMMITTED isolation', i_queue_name;
        return 0;
    end if;
    if txid_current() < v_queue.queue_switch_step1 then
        raise exception 'queue % maint failure: step1=%, current=%',
            i_queue_name, v_queue.queue_switch_step1, txid_current();
    end if;

    select min(s.sub_last_tick) into v_lowest from pgq.subscription s where s.sub_queue = v_queue.queue_id;
    if v_lowest is not null then
        select t.tick_snapshot into v_passed
          from pgq.tick t where t.tick_queue = v_queue.queue_id and t.tick_id = v_lowest;
        if not found then
            raise exception 'queue % maint failure: tick % not found', i_queue_name, v_lowest;
        end if;
        if txid_snapshot_xmin(v_passed) <= v_queue.queue_switch_step2 then
            return 0;
        end if;
    end if;

    v_next := (v_queue.queue_cur_table + 1) % v_queue.queue_ntables;
    v_table := pgq.quote_fqname(v_queue.queue_data_pfx || '_' || v_next);
    begin
        -- A short wait instead of NOWAIT: tickers and readers look into every event table for a moment.
        perform set_config('lock_timeout', '50ms', true);
        execute format('lock table %s in access exclusive mode', v_table);
        perform set_config('lock_timeout', v_timeout, true);
    exception when lock_not_available then
        return 0;
    end;
    if v_lowest is not null then
        execute format('select exists (select 1 from %1$s e where e.ev_txid >= $1) or exists (select 1 from %1$s e where e.ev_txid = any ($2))',
                       v_table)
           into v_needed using txid_snapshot_xmax(v_passed), array(select txid_snapshot_xip(v_passed));
        if v_needed then
            return 0;
        end if;
    end if;
    execute format('truncate %s', v_table);

    update pgq.queue q
       set queue_cur_table = v_next, queue_switch_time = current_timestamp,
           queue_switch_step1 = txid_current(), queue_switch_step2 = null
     where q.queue_id = v_queue.queue_id;
    delete from pgq.tick t
     where t.tick_queue = v_queue.queue_id and txid_snapshot_xmin(t.tick_snapshot) < v_queue.queue_switch_step2;
    return 0;
end;
$$;
