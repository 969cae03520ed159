-- Who works on an environment. A token is never given twice; a worker's writes are refused once a later one was given.
create sequence lease_tokens;
create table leases (
    -- '' for what there is only one of on the platform, such as the keeper; `environment` then names it
    project_id text not null,
    environment text not null,
    holder text not null,
    token bigint not null,
    -- by this database's clock, like every time here
    renewed_at timestamptz not null,
    expires_at timestamptz not null,
    primary key (project_id, environment)
);

alter table deployments
    -- build, rollback, promote, config (kernel/deployments.py)
    add column kind text not null default 'build',
    -- the tenant: whose queue it waits in
    add column owner text not null default '';
create index deployments_unfinished_of_owner on deployments (owner)
    where state in ('QUEUED', 'BUILDING', 'PROVISIONING');
