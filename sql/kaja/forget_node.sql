-- Remove what kaja keeps about the tables of a node that has been dropped; a node created later starts afresh.
-- Called in the transaction of pgq_node.drop_node.
create or replace function kaja.forget_node(i_queue_name text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    delete from kaja.table_copy c where c.queue_name = i_queue_name;
    delete from kaja.column_map m where m.queue_name = i_queue_name;
    delete from kaja.table_stats s where s.queue_name = i_queue_name;
    delete from kaja.job_run j where j.queue_name = i_queue_name;
    delete from kaja.job j where j.queue_name = i_queue_name;
    delete from kaja.compare_run r where r.queue_name = i_queue_name;
    delete from kaja.hold h where h.queue_name = i_queue_name;
end;
$$;

do $$
begin
    revoke all on function kaja.forget_node(text) from public;
    if exists (select from pg_catalog.pg_roles r where r.rolname = 'pgq_admin') then
        grant execute on function kaja.forget_node(text) to pgq_admin;
    end if;
end;
$$;
