-- Requests that routers have answered, of one project each, found by time. Blocks may overlap in time.
create table request_blocks (
    position bigint generated always as identity primary key,
    project_id text not null,
    first_at_us bigint not null,
    last_at_us bigint not null check (last_at_us >= first_at_us),
    requests integer not null check (requests > 0),
    -- A bit for each status class that it holds: 1 << 4 is 400 to 499.
    classes smallint not null,
    raw_bytes integer not null,
    stored_bytes integer not null,
    level smallint not null default 0,
    sealed boolean not null default false,
    stored_at timestamptz not null default now(),
    body bytea not null
);
-- The body is compressed already.
alter table request_blocks alter column body set storage external;
create index request_blocks_time on request_blocks (project_id, last_at_us);
create index request_blocks_unsealed on request_blocks (project_id, first_at_us) include (stored_at) where not sealed;
create index request_blocks_stored_at on request_blocks (stored_at);
