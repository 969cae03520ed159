-- Whom a project or a whole team tells of what happens, and what became of it.
create table hooks (
    id text primary key,
    -- One of both: a project, or a team as a whole with all of its projects. A project's team is the projects table's.
    project_id text references projects (id) on delete cascade,
    team_id text,
    check ((project_id is null) <> (team_id is null)),
    name text not null,
    kind text not null check (kind in ('webhook', 'slack', 'email')),
    -- The URL or address, sealed: a URL's path is as good as a password. The host may be shown.
    target bytea not null,
    host text not null,
    -- Of a webhook: {"secret", "old"}, sealed; the old one is good until `old_until`.
    secrets bytea,
    old_until timestamptz,
    -- Empty: all.
    events text[] not null,
    environments text[] not null,
    active boolean not null default true,
    -- Why the platform switched it off, "" when it did not, and whether the team's owners were told.
    disabled_reason text not null default '',
    disabled_at timestamptz,
    owner_told boolean not null default true,
    -- The first failure since the last success.
    failing_since timestamptz,
    -- Events that were not told, because too many waited.
    dropped bigint not null default 0,
    -- Who delivers for it now: one at a time, which keeps its order.
    leased_by text,
    leased_until timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index hooks_of_owner on hooks ((coalesce(project_id, team_id)), created_at);
create index hooks_of_project on hooks (project_id);
create index hooks_of_team on hooks (team_id);
create index hooks_untold on hooks (disabled_at) where not owner_told;

create table deliveries (
    id text primary key,
    position bigint generated always as identity,
    hook_id text not null references hooks (id) on delete cascade,
    -- What the receiver knows it by; a repetition keeps it.
    message_id text not null,
    type text not null,
    data jsonb not null,
    state text not null default 'pending' check (state in ('pending', 'delivered', 'failed')),
    attempts integer not null default 0,
    next_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    finished_at timestamptz
);
create index deliveries_of_hook on deliveries (hook_id, position desc);
create index deliveries_due on deliveries (next_at) where state = 'pending';
create index deliveries_waiting on deliveries (hook_id, next_at) where state = 'pending';
create index deliveries_finished on deliveries (finished_at) where state <> 'pending';

create table delivery_attempts (
    delivery_id text not null references deliveries (id) on delete cascade,
    number integer not null,
    at timestamptz not null default now(),
    request_headers jsonb not null,
    -- 0: no answer.
    status integer not null,
    response_headers jsonb not null,
    response_body text not null,
    error text not null,
    duration_ms integer not null,
    primary key (delivery_id, number)
);
