-- Custom hosts of environments, as the control plane last told them. A host is one environment's at a time.
create table hosts (
    host text primary key,
    -- Of whom; '' when it was given up: the number stays for a while, so that no older list gives it to somebody.
    project_id text not null,
    environment text not null,
    location text not null,
    status integer not null,
    ordinal bigint not null,
    changed_at timestamptz not null default now()
);
create index hosts_of_environment on hosts (project_id, environment);
create table host_lists (
    project_id text not null,
    environment text not null,
    ordinal bigint not null,
    changed_at timestamptz not null default now(),
    primary key (project_id, environment)
);
