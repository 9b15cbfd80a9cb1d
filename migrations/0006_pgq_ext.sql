-- schema: pgq_ext
-- What a consumer has done in the database it writes to, so that work that comes again after a crash is recognised.
-- Names and columns are those of Skytools' pgq_ext 3. An empty subconsumer_id stands for a consumer without sub-consumers.

create schema pgq_ext;

-- Position by tick: everything up to this tick is done.
create table pgq_ext.completed_tick (
    consumer_id    text not null,
    subconsumer_id text not null,
    last_tick_id   int8 not null,
    primary key (consumer_id, subconsumer_id)
);

-- Position by batch: the last batch that is done.
create table pgq_ext.completed_batch (
    consumer_id    text not null,
    subconsumer_id text not null,
    last_batch_id  int8 not null,
    primary key (consumer_id, subconsumer_id)
);

-- The batch that is worked on event by event, and its events that are done.
create table pgq_ext.partial_batch (
    consumer_id    text not null,
    subconsumer_id text not null,
    cur_batch_id   int8 not null,
    primary key (consumer_id, subconsumer_id)
);
create table pgq_ext.completed_event (
    consumer_id    text not null,
    subconsumer_id text not null,
    batch_id       int8 not null,
    event_id       int8 not null,
    primary key (consumer_id, subconsumer_id, batch_id, event_id)
);
