-- An environment beside production, for a branch or a pull request; it goes when nobody has deployed to it for a while.
create table previews (
    project_id text not null references projects (id) on delete cascade,
    environment text not null,
    created_at timestamptz not null default now(),
    deployed_at timestamptz not null default now(),
    expires_at timestamptz not null,
    primary key (project_id, environment)
);
create index previews_expiry on previews (expires_at);
