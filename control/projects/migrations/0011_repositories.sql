-- A GitHub App's installation that a team has claimed by proving that it administers it.
create table installations (
    id bigint primary key,
    team_id text not null,
    login text not null,
    account_type text not null,
    suspended boolean not null default false,
    claimed_by text not null,
    claimed_at timestamptz not null default now()
);
create index installations_team on installations (team_id, login);

-- Where a project's code comes from. Several projects may name one repository.
create table repository_links (
    id text primary key,
    project_id text not null unique references projects (id) on delete cascade,
    provider text not null check (provider in ('github', 'gitlab', 'gitea', 'bitbucket', 'git')),
    clone_url text not null,
    full_name text not null,
    -- The provider's own, which outlives a rename; '' until a delivery has told it.
    repository_id text not null default '',
    watch_paths text[] not null default '{}',
    previews text not null default 'all' check (previews in ('all', 'branches', 'pull_requests', 'none')),
    fork_previews boolean not null default false,
    installation_id bigint,
    -- Sealed, bound to the link (kernel/sealing.py): of the webhook, and for cloning.
    sealed_secret bytea,
    sealed_token bytea,
    -- Why nothing that comes is acted on; '' while all is well.
    detached text not null default '',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index repository_links_repository on repository_links (provider, repository_id);
create index repository_links_installation on repository_links (installation_id) where installation_id is not null;

-- The queue of webhooks that came in, and what became of them.
create table webhook_deliveries (
    id text primary key,
    -- What its id is unique in: 'github' for the App, else the link.
    scope text not null,
    delivery text not null,
    -- SHA-256 of the body where that may come once only, else the delivery's id.
    digest text not null,
    provider text not null,
    link_id text,
    event text not null,
    -- Deliveries of one lane are processed in the order in which they came: a repository, or an installation.
    lane text not null,
    payload bytea not null,
    state text not null default 'queued' check (state in ('queued', 'running', 'done', 'dead')),
    attempts integer not null default 0,
    next_at timestamptz not null default now(),
    -- Who works on it, by the number of the attempt, has it until then.
    leased_until timestamptz,
    error text not null default '',
    outcomes jsonb not null default '[]',
    -- Somebody had it done again for this project only; '' is for all.
    only_project text not null default '',
    received_at timestamptz not null default now(),
    done_at timestamptz,
    arrival bigint generated always as identity,
    unique (scope, delivery),
    unique (scope, digest)
);
create index webhook_deliveries_open on webhook_deliveries (lane, arrival) where state in ('queued', 'running');
create index webhook_deliveries_lane on webhook_deliveries (lane, id desc);
create index webhook_deliveries_age on webhook_deliveries (received_at);

-- What GitHub is to be told: of a deployment, or in the one comment of a pull request. A row is wanted while next_at is
-- set; whoever changes what it tells of raises `version`, so that a report under way does not hide the change.
create table github_reports (
    -- A deployment's id, or <repository id>#<number>.
    id text primary key,
    installation_id bigint not null,
    repository_id text not null,
    -- Of a pull request's comment; null for a deployment.
    number integer,
    -- GitHub's id of the deployment or the comment.
    remote_id bigint,
    -- What it was told last.
    told text not null default '',
    version integer not null default 1,
    next_at timestamptz default now(),
    attempts integer not null default 0,
    leased_until timestamptz,
    error text not null default '',
    updated_at timestamptz not null default now()
);
create index github_reports_due on github_reports (next_at) where next_at is not null;
