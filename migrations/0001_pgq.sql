-- schema: pgq
-- Storage of PgQ 3.5: queues, consumers, their positions, ticks, and the template of event tables.
-- Names, types and defaults are PgQ's contract; programs written for PgQ read these tables.

create schema pgq;

create table pgq.queue (
    queue_id                 serial      not null,
    queue_name               text        not null,
    queue_ntables            int4        not null default 3,        -- event tables that rotate
    queue_cur_table          int4        not null default 0,        -- the one that takes inserts
    queue_rotation_period    interval    not null default '2 hours',
    queue_switch_step1       int8        not null default txid_current(), -- transaction that changed cur_table last
    queue_switch_step2       int8                 default txid_current(), -- a later one; null between the two steps
    queue_switch_time        timestamptz not null default now(),
    queue_external_ticker    boolean     not null default false,
    queue_disable_insert     boolean     not null default false,
    queue_ticker_paused      boolean     not null default false,
    queue_ticker_max_count   int4        not null default 500,
    queue_ticker_max_lag     interval    not null default '3 seconds',
    queue_ticker_idle_period interval    not null default '1 minute',
    queue_per_tx_limit       int4,                                  -- null or negative: no limit
    queue_data_pfx           text        not null,
    queue_event_seq          text        not null,
    queue_tick_seq           text        not null,
    queue_extra_maint        text[],
    constraint queue_pkey primary key (queue_id),
    constraint queue_name_uq unique (queue_name)
);

create table pgq.consumer (
    co_id   serial not null,
    co_name text   not null,
    constraint consumer_pkey primary key (co_id),
    constraint consumer_name_uq unique (co_name)
);

create table pgq.tick (
    tick_queue     int4          not null,
    tick_id        int8          not null,
    tick_time      timestamptz   not null default now(),
    tick_snapshot  txid_snapshot not null default txid_current_snapshot(),
    tick_event_seq int8          not null,
    constraint tick_pkey primary key (tick_queue, tick_id),
    constraint tick_queue_fkey foreign key (tick_queue) references pgq.queue (queue_id)
);

create sequence pgq.batch_id_seq;

-- A batch is exactly (sub_batch, sub_last_tick, sub_next_tick) of a row. sub_id is not unique by constraint:
-- cooperative consumers share it.
create table pgq.subscription (
    sub_id        serial      not null,
    sub_queue     int4        not null,
    sub_consumer  int4        not null,
    sub_last_tick int8,
    sub_active    timestamptz not null default now(),
    sub_batch     int8,
    sub_next_tick int8,
    constraint subscription_pkey primary key (sub_queue, sub_consumer),
    constraint subscription_batch_idx unique (sub_batch),
    constraint sub_queue_fkey foreign key (sub_queue) references pgq.queue (queue_id),
    constraint sub_consumer_fkey foreign key (sub_consumer) references pgq.consumer (co_id)
);

create table pgq.event_template (
    ev_id     int8        not null,
    ev_time   timestamptz not null,
    ev_txid   int8        not null default txid_current(),
    ev_owner  int4,                                             -- sub_id of a retried event; null: for everybody
    ev_retry  int4,                                             -- deliveries before this one; null: none
    ev_type   text,
    ev_data   text,
    ev_extra1 text,
    ev_extra2 text,
    ev_extra3 text,
    ev_extra4 text
);

create table pgq.retry_queue (
    ev_retry_after timestamptz not null,
    ev_queue       int4        not null,
    ev_id          int8        not null,
    ev_time        timestamptz not null,
    ev_txid        int8,
    ev_owner       int4        not null,
    ev_retry       int4,
    ev_type        text,
    ev_data        text,
    ev_extra1      text,
    ev_extra2      text,
    ev_extra3      text,
    ev_extra4      text,
    constraint rq_pkey primary key (ev_owner, ev_id),
    constraint rq_queue_id_fkey foreign key (ev_queue) references pgq.queue (queue_id)
);
create index rq_retry_idx on pgq.retry_queue (ev_retry_after);
