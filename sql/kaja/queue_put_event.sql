-- Writing single events without dynamic SQL: every queue has a generated function kaja.put_event_<queue_id>, whose INSERTs are planned once
-- per session, and kaja.put_event(queue_name, …) chooses among them by the queue's name. Both return the event's id, or null for what only
-- pgq.insert_event_raw knows: queues that are unknown here, disabled, limited.
-- Like generated captures they write to the table that the sequence kaja.current_table_<queue_id> names.

-- Body of kaja.put_event_<i_queue_id>.
create or replace function kaja._put_event_body(i_queue_id int, i_tables int) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select format($f$
declare
    v_table bigint := pg_sequence_last_value(%L::regclass);
    v_id    bigint;
begin
    if v_table is null or v_table > 99 then
        return null;
    end if;
    v_id := nextval('pgq.event_%s_id_seq'::regclass);
%s    end if;
    return v_id;
end;
$f$, 'kaja.current_table_' || i_queue_id, i_queue_id,
        string_agg(format($f$    %s v_table = %s then
        insert into pgq.event_%s_%s (ev_id, ev_time, ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3, ev_extra4)
        values (v_id, now(), ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3, ev_extra4);
$f$, case n when 0 then 'if' else 'elsif' end, n, i_queue_id, n), '' order by n))
      from generate_series(0, i_tables - 1) n
$$;

-- Statements that choose among the functions of queues, a search tree over their names. i_names is sorted by collation C.
create or replace function kaja._put_event_choice(i_names text[], i_ids int[]) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    v_count int := cardinality(i_names);
    v_half  int := v_count / 2;
begin
    if v_count > 4 then
        return format(E'if queue_name collate "C" <= %L then\n%selse\n%send if;\n', i_names[v_half],
                      kaja._put_event_choice(i_names[:v_half], i_ids[:v_half]), kaja._put_event_choice(i_names[v_half + 1:], i_ids[v_half + 1:]));
    end if;
    return coalesce((
        select string_agg(format(E'if queue_name = %L then\n    return kaja.put_event_%s(ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3, ev_extra4);\nend if;\n', q.name, q.id), '' order by q.n)
          from unnest(i_names, i_ids) with ordinality as q (name, id, n)), '');
end;
$$;

-- Create or replace a function kaja.<i_name> with text arguments unless it is as it should be.
create or replace function kaja._put_event_function(i_name text, i_arguments text, i_body text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (select from pg_proc p where p.pronamespace = 'kaja'::regnamespace and p.proname = i_name and p.prosrc = i_body) then
        execute format('create or replace function kaja.%I(%s) returns bigint language plpgsql as %L', i_name, i_arguments, i_body);
        execute format('revoke all on function kaja.%I from public', i_name);
    end if;
end;
$$;

-- Make the functions fit the queues. Nothing where pgq is the genuine extension, which has its own way to insert.
-- Waits for others who do the same, so it is called at the end of transactions.
create or replace function kaja.generate_put_event() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_fields constant text := 'ev_type text, ev_data text, ev_extra1 text, ev_extra2 text, ev_extra3 text, ev_extra4 text';
    v_queues record;
    v_gone   text;
begin
    if exists (select from pg_extension x where x.extname = 'pgq') then
        return;
    end if;
    perform pg_advisory_xact_lock(1801546337, -1);
    perform kaja._put_event_function('put_event_' || q.queue_id, v_fields, kaja._put_event_body(q.queue_id, q.queue_ntables))
       from pgq.queue q where q.queue_data_pfx = 'pgq.event_' || q.queue_id and q.queue_event_seq = q.queue_data_pfx || '_id_seq';
    select array_agg(q.queue_name order by q.queue_name collate "C") as names, array_agg(q.queue_id order by q.queue_name collate "C") as ids into v_queues
      from pgq.queue q where q.queue_data_pfx = 'pgq.event_' || q.queue_id and q.queue_event_seq = q.queue_data_pfx || '_id_seq';
    perform kaja._put_event_function('put_event', 'queue_name text, ' || v_fields,
                                     format(E'\nbegin\n%sreturn null;\nend;\n', kaja._put_event_choice(coalesce(v_queues.names, '{}'), coalesce(v_queues.ids, '{}'))));
    for v_gone in
        select p.proname from pg_proc p
         where p.pronamespace = 'kaja'::regnamespace and p.proname ~ '^put_event_[0-9]+$' and substr(p.proname, 11)::int <> all (coalesce(v_queues.ids, '{}'))
    loop
        execute format('drop function kaja.%I', v_gone);
    end loop;
end;
$$;

-- Trigger function on pgq.queue, called twice: at once for a queue that goes or gets another name, so that nothing more is written for it
-- here, and at the end of the transaction. With an older snapshot the other queues cannot be seen: then whoever comes next does it.
create or replace function kaja.sync_put_event() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if tg_argv[0] = 'commit' then
        if current_setting('transaction_isolation') = 'read committed' then
            perform kaja.generate_put_event();
        end if;
    elsif exists (select from pg_proc p where p.pronamespace = 'kaja'::regnamespace and p.proname = 'put_event_' || old.queue_id) then
        perform kaja._put_event_function('put_event_' || old.queue_id,
                                         'ev_type text, ev_data text, ev_extra1 text, ev_extra2 text, ev_extra3 text, ev_extra4 text', 'begin return null; end');
    end if;
    return null;
end;
$$;

do $$
begin
    perform kaja.generate_put_event();
end;
$$;
