create table projects (
    id text primary key,
    -- Unique on the whole platform: it is the first label of the project's host.
    name text not null unique,
    account_id text not null,
    framework text not null,
    root_dir text not null,
    install_command text not null,
    build_command text not null,
    run_command text not null,
    output_dir text not null,
    health_path text not null,
    production_branch text not null,
    -- What serves now; null before the first deployment is live.
    live_deployment_id text,
    created_at timestamptz not null default now()
);
create index projects_account on projects (account_id, name);

create table env_vars (
    project_id text not null references projects (id) on delete cascade,
    name text not null,
    -- AES-GCM, bound to the project and the name (kernel/sealing.py).
    sealed bytea not null,
    updated_at timestamptz not null default now(),
    primary key (project_id, name)
);

create table deployments (
    id text primary key,
    project_id text not null references projects (id) on delete cascade,
    environment text not null,
    -- kernel/deployments.py; every change is a compare-and-set on the state that it leaves.
    state text not null,
    stage text not null default '',
    reason text not null default '',
    hint text not null default '',
    exit_status integer not null default 0,
    commit_id text not null,
    ref text not null,
    message text not null,
    actor_id text not null,
    url text not null default '',
    release_id text not null default '',
    timings_ms jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
-- Ids grow with time, so this index lists a project's deployments newest first and carries the cursor.
create index deployments_of_project on deployments (project_id, id desc);

alter table projects add foreign key (live_deployment_id) references deployments (id) on delete set null;
