-- schema: kaja
-- Events that a consumer gave up on. They stay until they are replayed or deleted; queue and consumer are kept by name, so a
-- letter can be read after its consumer is gone.
create table kaja.dead_letter (
    dead_id       bigint generated always as identity primary key,
    dead_time     timestamptz not null default now(),
    queue_id      int not null,             -- ids of events start anew in a queue that was dropped and created again
    queue_name    text not null,
    consumer_name text not null,
    reason        text,                     -- why the consumer gave up
    ev_id         bigint not null,
    ev_time       timestamptz not null,
    ev_retry      int,                      -- failed deliveries before the last one
    ev_type       text,
    ev_data       text,
    ev_extra1     text,
    ev_extra2     text,
    ev_extra3     text,
    ev_extra4     text,
    unique (queue_id, consumer_name, ev_id)
);
create index dead_letter_queue_name_idx on kaja.dead_letter (queue_name, consumer_name, dead_id);
