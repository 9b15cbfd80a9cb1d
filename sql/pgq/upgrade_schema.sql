-- Bring a schema made by an older PgQ to 3.5 and create missing roles. Always 0.
create or replace function pgq.upgrade_schema() returns int
language plpgsql as $$
begin
    if exists (select 1 from pg_catalog.pg_attribute a
                where a.attrelid = 'pgq.subscription'::regclass and a.attname = 'sub_last_tick' and a.attnotnull) then
        alter table pgq.subscription alter column sub_last_tick drop not null;
    end if;
    if not exists (select 1 from pg_catalog.pg_attribute a
                    where a.attrelid = 'pgq.queue'::regclass and a.attname = 'queue_extra_maint' and not a.attisdropped) then
        alter table pgq.queue add column queue_extra_maint text[];
    end if;
    perform pgq._create_roles();
    return 0;
end;
$$;
