-- schema: pgq_node
-- Nodes of cascaded queues: who belongs to a queue, what this database is in it, how far its consumers are.
-- Names, columns and constraints are those of the upstream extension pgq_node 3.5; londiste and other clients read them.

create schema pgq_node;

-- Every known member of each queue. The same list is meant to exist on every node; events of the root keep it so.
create table pgq_node.node_location (
    queue_name    text    not null,
    node_name     text    not null,
    node_location text    not null,               -- connection string
    dead          boolean not null default false, -- declared dead by the administrator
    primary key (queue_name, node_name)
);

-- What this database is, one row per cascaded queue.
create table pgq_node.node_info (
    queue_name     text not null primary key,
    node_type      text not null,
    node_name      text not null,
    worker_name    text,                          -- consumer name of the process that maintains the node
    combined_queue text,                          -- merge-leaf: local queue that gets this partition's events
    node_attrs     text,                          -- urlencoded settings for the worker, e.g. sync_watermark
    constraint node_info_node_type_check check (node_type in ('root', 'branch', 'leaf')),
    constraint node_info_check check (
        case when node_type in ('root', 'branch') then worker_name is not null and combined_queue is null
             when node_type = 'leaf' then worker_name is not null
             else false end),
    foreign key (queue_name, node_name) references pgq_node.node_location (queue_name, node_name)
);

-- Consumers that write into this database: the worker and others.
create table pgq_node.local_state (
    queue_name    text    not null,
    consumer_name text    not null,
    provider_node text    not null,               -- on a root: the node itself
    last_tick_id  bigint  not null,               -- last tick committed here; on a root: last published watermark
    cur_error     text,                           -- failure of the last batch
    paused        boolean not null default false, -- the administrator asks to stop working
    uptodate      boolean not null default false, -- the consumer has seen the newest settings of this row
    primary key (queue_name, consumer_name),
    foreign key (queue_name) references pgq_node.node_info (queue_name),
    foreign key (queue_name, provider_node) references pgq_node.node_location (queue_name, node_name)
);

-- Nodes that read from this node.
create table pgq_node.subscriber_info (
    queue_name      text not null,
    subscriber_node text not null,
    worker_name     text not null,
    watermark_name  text not null,                -- `.<subscriber_node>.watermark`
    primary key (queue_name, subscriber_node),
    foreign key (queue_name) references pgq_node.node_info (queue_name),
    foreign key (queue_name, subscriber_node) references pgq_node.node_location (queue_name, node_name),
    foreign key (worker_name) references pgq.consumer (co_name),
    foreign key (watermark_name) references pgq.consumer (co_name)
);
