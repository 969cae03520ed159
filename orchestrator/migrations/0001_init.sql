-- One attempt to bring a commit of a project's environment to life. The states are in kernel/deployments.py; every
-- write of `state` is a compare-and-set.
create table deployments (
    id text primary key,
    arrival bigint generated always as identity,
    project_id text not null,
    environment text not null,
    state text not null default 'QUEUED',
    stage text not null default '',
    reason text not null default '',
    hint text not null default '',
    detail text not null default '',
    exit_status integer not null default 0,
    release_id text,
    -- the routes point at this deployment's release: from here on it can't be superseded, only finished
    flipped boolean not null default false,
    -- the table's version that the routers must reach
    routes_version bigint,
    -- the route record before the flip, to go back to when the routers never confirm
    previous_route jsonb,
    -- where it is served
    host text not null default '',
    url text not null default '',
    timings_ms jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index deployments_unfinished on deployments (project_id, environment, arrival)
    where state in ('QUEUED', 'BUILDING', 'PROVISIONING');
create unique index deployments_one_live on deployments (project_id, environment) where state = 'LIVE';

-- Immutable: artifact, env snapshot, how to run.
create table releases (
    id text primary key,
    deployment_id text not null unique references deployments (id),
    project_id text not null,
    environment text not null,
    kind text not null,
    -- static: the manifest's key; dynamic: the sha256 of the slug
    artifact text not null,
    plan jsonb not null,
    health_strict boolean not null,
    sealed_env bytea not null,
    created_at timestamptz not null default now()
);

create table instances (
    id text primary key,
    release_id text not null references releases (id),
    project_id text not null,
    -- starting, ready, draining, stopped, crashed
    state text not null,
    address text not null default '',
    exit_status integer not null default 0,
    -- where the next log line to ship begins
    log_offset bigint not null default 0,
    started_at timestamptz not null default now(),
    ended_at timestamptz
);
create index instances_of_release on instances (release_id) where state in ('starting', 'ready', 'draining');

-- The truth of the route table; Redis holds a copy (design, section 7).
create table routes (
    host text not null,
    path text not null,
    project_id text not null,
    record jsonb not null,
    version bigint not null,
    primary key (host, path)
);
create index routes_of_project on routes (project_id);
create table endpoints (
    release_id text primary key,
    record jsonb not null,
    version bigint not null
);
create table route_table (
    one boolean primary key default true check (one),
    epoch text not null,
    version bigint not null
);
insert into route_table (epoch, version) values ('', 0);
