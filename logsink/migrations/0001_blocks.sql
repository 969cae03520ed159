-- The last offset given to a line of each project. The row's lock orders the commits of a project, so a reader never
-- sees an offset appear behind one that it has read.
create table projects (
    project_id text primary key,
    last_offset bigint not null
);
-- Batches that are stored: (producer, sequence) makes a repeated Append harmless. Rows go after some hours.
create table appends (
    producer text not null,
    sequence bigint not null,
    at timestamptz not null default now(),
    primary key (producer, sequence)
);
create index appends_at on appends (at);
-- Lines of one project, deployment and source. Offsets within a block grow and may leave gaps that other blocks fill;
-- no two blocks of one key overlap. The bound on the span is what lets a reader find by first_offset every block that
-- may reach behind an offset (logsink/store/block.py: SPAN).
create table blocks (
    project_id text not null,
    first_offset bigint not null,
    last_offset bigint not null,
    deployment_id text not null,
    source text not null,
    lines integer not null check (lines > 0),
    first_at_ns bigint not null,
    last_at_ns bigint not null,
    raw_bytes integer not null,
    stored_bytes integer not null,
    level smallint not null default 0,
    sealed boolean not null default false,
    stored_at timestamptz not null default now(),
    body bytea not null,
    primary key (project_id, first_offset),
    check (last_offset - first_offset < 65536 and last_offset - first_offset >= lines - 1)
);
-- The body is compressed already.
alter table blocks alter column body set storage external;
create index blocks_last_offset on blocks (project_id, last_offset);
create index blocks_deployment on blocks (project_id, deployment_id, first_offset);
create index blocks_unsealed on blocks (project_id, deployment_id, source, first_offset) include (stored_at) where not sealed;
create index blocks_stored_at on blocks (stored_at);
