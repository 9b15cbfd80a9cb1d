-- schema: kaja
-- Capture, copy and apply state that upstream does not have. See docs/architecture.md.

-- Row shapes: the columns of a captured row in order, with their attribute numbers. Content-addressed, never changed.
create table kaja.shape (
    shape_id text primary key,
    columns  json not null
);

-- One row per captured table and queue (provider side).
create table kaja.capture (
    capture_id  serial primary key,
    queue_name  text not null,
    table_name  text not null,              -- logical name, as in londiste.table_info and in ev_extra1
    relid       oid not null,               -- physical table
    style       text not null check (style in ('key', 'whole_row', 'insert_only')),
    ops         text not null,              -- subset of IUD
    row_level   boolean not null,           -- row triggers (partitioned or inherited), else statement triggers
    key_attnums smallint[] not null,        -- in key order; empty for whole_row
    columns     json not null,              -- shape the functions were generated for
    shape_id    text not null,
    unique (queue_name, table_name)
);

-- How and from where a table is copied and applied (subscriber side); the merge state itself is londiste.table_info.merge_state.
create table kaja.table_copy (
    queue_name   text not null,
    table_name   text not null,
    copy_tick    bigint,                    -- rows of the table stand exactly at this tick of the provider
    provider     text,                      -- node that was copied from
    style        text not null default 'key', -- how rows are found: key | whole_row | insert_only
    pending_ddl  text[] not null default '{}', -- keys and indexes to build after the rows
    rows_copied  bigint not null default 0,
    bytes_copied bigint not null default 0,
    rows_total   bigint,
    started_at   timestamptz,
    finished_at  timestamptz,
    last_error   text,
    primary key (queue_name, table_name)
);

-- Which subscriber column a provider column goes to, by attribute number on both sides.
create table kaja.column_map (
    queue_name    text not null,
    table_name    text not null,
    source_attnum smallint not null,
    source_name   text not null,
    dest_attnum   smallint,                 -- null: the column is left out on purpose
    key_position  smallint,                 -- 1.. for key columns
    primary key (queue_name, table_name, source_attnum)
);

-- Divergence and volume counters per table (subscriber side).
create table kaja.table_stats (
    queue_name     text not null,
    table_name     text not null,
    inserted       bigint not null default 0,
    updated        bigint not null default 0,
    deleted        bigint not null default 0,
    update_missing bigint not null default 0, -- UPDATE found no row (the row was inserted)
    delete_missing bigint not null default 0, -- DELETE found no row
    insert_found   bigint not null default 0, -- INSERT found the row (it was overwritten)
    last_diverged  timestamptz,
    primary key (queue_name, table_name)
);

-- compare asks the worker to stand still exactly at a tick until its sessions have their snapshots.
create table kaja.hold (
    hold_id     bigserial primary key,
    queue_name  text not null,
    tick_id     bigint not null,
    requested_at timestamptz not null default clock_timestamp(),
    expires_at  timestamptz not null,
    reached_at  timestamptz
);

-- Changes whenever a table of the queue is added, removed, changes state or attributes: workers reload their tables then.
create table kaja.table_version (
    queue_name text primary key,
    version    bigint not null
);
create function kaja.bump_table_version() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into kaja.table_version as v (queue_name, version)
    values (case tg_op when 'DELETE' then old.queue_name else new.queue_name end, 1)
    on conflict (queue_name) do update set version = v.version + 1;
    return null;
end;
$$;
create trigger kaja_table_version after insert or update or delete on londiste.table_info
    for each row execute function kaja.bump_table_version();
alter table londiste.table_info enable always trigger kaja_table_version;

-- When a table leaves a node, what is known about its copy and columns goes too. The body is in sql/kaja/forget_table.sql.
create function kaja.forget_table() returns trigger language plpgsql as $$ begin return null; end $$;
create trigger kaja_forget_table after delete or update of local on londiste.table_info
    for each row execute function kaja.forget_table();
alter table londiste.table_info enable always trigger kaja_forget_table;

-- When a queue goes, its captured tables stop logging. The body is in sql/kaja/forget_queue_captures.sql.
create function kaja.forget_queue_captures() returns trigger language plpgsql as $$ begin return null; end $$;
create trigger kaja_forget_captures after delete on pgq.queue for each row execute function kaja.forget_queue_captures();
