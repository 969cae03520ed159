-- The transactional outbox: a row here and the change that it tells of commit together. A relay appends the rows to
-- their streams in the order of `position` and deletes them. `beside` lists Redis commands that belong to the same MULTI.
create table outbox (
    position bigint generated always as identity primary key,
    stream text not null,
    envelope bytea not null,
    beside jsonb,
    created_at timestamptz not null default now()
);
-- Ids of events whose effect is in this database, so that a repeated delivery changes nothing.
create table consumed_events (
    id text primary key,
    at timestamptz not null default now()
);
create index consumed_events_at on consumed_events (at);
