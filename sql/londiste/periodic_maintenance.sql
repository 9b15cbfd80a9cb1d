-- Ticker's maintenance: forget scripts run more than three months ago. Result: 0 (no need to call again).
create or replace function londiste.periodic_maintenance() returns int4
language plpgsql as $$
begin
    delete from londiste.applied_execute e where e.execute_time < pg_catalog.now() - interval '3 months';
    return 0;
end;
$$;
