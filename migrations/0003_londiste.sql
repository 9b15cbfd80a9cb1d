-- schema: londiste
-- Tables and sequences replicated on a queue, as this node knows them.
-- Names, columns and constraints are those of the upstream extension londiste 3.8; its clients read them.

create schema londiste;

create table londiste.table_info (
    nr              serial  not null,               -- order of display and of work, not unique
    queue_name      text    not null references pgq_node.node_info (queue_name) on delete cascade,
    table_name      text    not null,               -- name used in events, `schema.table` unquoted
    local           boolean not null default false, -- this node publishes (root) or subscribes; else only known to exist
    merge_state     text,                           -- NULL, in-copy, catching-up, wanna-sync:N, do-sync:N, ok
    custom_snapshot text,                           -- replay skips events visible in it
    dropped_ddl     text,                           -- statements that recreate what a merge copy dropped
    table_attrs     text,                           -- urlencoded: handler, copy_node, skip_truncate, max_parallel_copy
    dest_table      text,                           -- physical name when it differs from table_name
    primary key (queue_name, table_name),
    -- A NULL merge_state passes: resync sets it while dropped_ddl still waits to be run.
    constraint table_info_check check (dropped_ddl is null or merge_state in ('in-copy', 'catching-up'))
);

create table londiste.seq_info (
    nr         serial  not null,
    queue_name text    not null references pgq_node.node_info (queue_name) on delete cascade,
    seq_name   text    not null,
    local      boolean not null default false,
    last_value int8    not null,                    -- value published by the root, ahead of the real one
    primary key (queue_name, seq_name)
);

-- One row per EXECUTE script. The file name alone is the key, so that a script that arrives through several
-- queues of one database runs once.
create table londiste.applied_execute (
    queue_name    text        not null,
    execute_file  text        not null primary key,
    execute_time  timestamptz not null default now(),
    execute_sql   text        not null,
    execute_attrs text
);

-- Foreign keys dropped for a copy, to be restored when both sides are in sync. Physical names.
create table londiste.pending_fkeys (
    from_table text not null,
    to_table   text not null,
    fkey_name  text not null,
    fkey_def   text not null,
    primary key (from_table, fkey_name)
);
