-- schema: kaja
-- What comparisons and repairs of this node found. Never a row's values here; those are in kaja.repair_log, which only the owner reads.

create table kaja.compare_run (
    run_id      bigserial primary key,
    queue_name  text not null,
    node_name   text not null,              -- this node
    source_node text not null,              -- compared with
    kind        text not null check (kind in ('compare', 'repair')),
    request     json not null,              -- what was asked for: a run goes on only where the same is asked again
    tick_id     bigint,                     -- the moment that was compared; null: none was reached
    exact       boolean,                    -- false: the worker was not there, differences may be lag
    stood_ms    integer,                    -- how long the worker stood for it
    started_at  timestamptz not null default clock_timestamp(),
    finished_at timestamptz,                -- null: still running, or killed
    result      text check (result in ('equal', 'different', 'repaired', 'not comparable', 'failed')),
    error       text
);
create index compare_run_queue on kaja.compare_run (queue_name, run_id desc);

create table kaja.compare_table (
    run_id       bigint not null references kaja.compare_run on delete cascade,
    table_name   text not null,             -- logical name
    dest_table   text not null,             -- physical name on this node
    result       text not null check (result in ('equal', 'different', 'repaired', 'not comparable')),
    reason       text,                      -- why it could not be compared
    tick_id      bigint,
    source_rows  bigint,                    -- null with a query of one's own
    dest_rows    bigint,
    source_text  text,                      -- as compare_fmt prints them
    dest_text    text,
    missing      bigint,                    -- rows that are not here; null: not looked at row by row
    extra        bigint,                    -- rows that are only here
    different    bigint,
    inserts      bigint,                    -- what a repair did
    updates      bigint,
    deletes      bigint,
    remaining    bigint,                    -- keys whose rows still differed after it
    seconds      float8,
    finished_at  timestamptz not null default clock_timestamp(),
    primary key (run_id, table_name)
);

-- Every row that a repair changed, with all values as text. It stays until the owner deletes it.
create table kaja.repair_log (
    log_id      bigserial primary key,
    run_id      bigint,
    queue_name  text not null,
    table_name  text not null,
    dest_table  text not null,
    action      text not null check (action in ('insert', 'update', 'delete')),
    old_row     json,                       -- null for an insert
    new_row     json,                       -- null for a delete
    repaired_at timestamptz not null default clock_timestamp()
);
create index repair_log_table on kaja.repair_log (queue_name, table_name);
