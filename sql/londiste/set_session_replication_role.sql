-- Set session_replication_role with the rights of the function's owner.
--   val       origin, replica or local
--   is_local  until the end of the transaction; NULL or false: for the session
-- Error: bad value; the server's own when the owner may not set it.
create or replace function londiste.set_session_replication_role(val text, is_local bool) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if val is null or val not in ('origin', 'replica', 'local') then
        raise exception 'bad value for session_replication_role';
    end if;
    perform set_config('session_replication_role', val, coalesce(is_local, false));
end;
$$;
