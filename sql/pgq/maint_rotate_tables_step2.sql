-- Second step of rotation, in a transaction of its own after the first: marks from where on only the new table is used.
-- Always 0.
create or replace function pgq.maint_rotate_tables_step2() returns int
language plpgsql as $$
begin
    update pgq.queue q set queue_switch_step2 = txid_current() where q.queue_switch_step2 is null;
    return 0;
end;
$$;
