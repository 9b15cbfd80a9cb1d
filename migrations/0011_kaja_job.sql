-- schema: kaja
-- Jobs of this node: comparisons that run by a schedule, and how each run ended. Never a row's values.

alter table kaja.compare_run add started_by text not null default 'hand' check (started_by in ('hand', 'cron', 'schedule'));

-- Since when a schedule is known: times before that were not missed.
create table kaja.job (
    queue_name text not null,
    job        text not null,
    schedule   text not null,
    timezone   text not null,                 -- as in the ini; empty: the zone of the worker's host
    since      timestamptz not null,
    primary key (queue_name, job)
);

-- One row per time of the schedule, or per run that a person or system cron started.
create table kaja.job_run (
    job_run_id       bigserial primary key,
    queue_name       text not null,
    job              text not null,
    started_by       text not null check (started_by in ('hand', 'cron', 'schedule')),
    due_at           timestamptz,             -- time of the schedule; null: started by hand or cron
    attempts         integer not null default 1,
    host             text,
    started_at       timestamptz,             -- null: it did not start
    finished_at      timestamptz,             -- null: it runs, or its process died
    result           text check (result in ('equal', 'different', 'repaired', 'not comparable', 'failed', 'interrupted', 'missed', 'skipped')),
    reason           text,
    tables           integer,
    different_tables text[],
    different_rows   bigint,                  -- null: not looked at row by row
    repaired_rows    bigint,
    skipped          integer not null default 0,  -- times of the schedule that came while it ran
    compare_run_id   bigint references kaja.compare_run on delete set null
);
create unique index job_run_due on kaja.job_run (queue_name, job, due_at);
create index job_run_newest on kaja.job_run (queue_name, job, job_run_id desc);
create index job_run_compare on kaja.job_run (compare_run_id);
