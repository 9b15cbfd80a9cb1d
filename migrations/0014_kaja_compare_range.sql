-- schema: kaja
-- Ranges of a big table that a comparison found equal, while it is not through with the table: --resume goes on behind them.

create table kaja.compare_range (
    run_id      bigint not null references kaja.compare_run on delete cascade,
    table_name  text not null,              -- logical name
    lo          bigint not null,            -- first and last key, both in it
    hi          bigint not null,
    rows        bigint not null,
    checksum    numeric not null,           -- sum of the rows' hashes
    tick_id     bigint not null,            -- the moment at which both sides were equal
    compared_at timestamptz not null default clock_timestamp(),
    primary key (run_id, table_name, lo)
);
