-- Claims of projects to names; control/projects/domains/claim.py explains the columns.
create table domains (
    id text primary key,
    project_id text not null references projects (id) on delete cascade,
    name text not null,
    environment text not null,
    redirect_to text not null,
    redirect_status integer not null,
    token text not null,
    state text not null default 'pending' check (state in ('pending', 'verified', 'failing', 'expired')),
    proof text not null default '',
    problem text not null default '',
    looks jsonb not null default '[]',
    checks integer not null default 0,
    absent_s double precision not null default 0,
    created_at timestamptz not null default now(),
    claimed_at timestamptz not null default now(),
    checked_at timestamptz,
    verified_at timestamptz,
    check_at timestamptz not null default now(),
    unique (project_id, name)
);
-- Any number of projects may claim a name, and one holds it.
create unique index domains_held on domains (name) where state in ('verified', 'failing');
create index domains_due on domains (check_at) where state <> 'expired';

-- Which team held a name last, also after it gave it up: others need more than a CNAME that it may have left behind.
create table domain_holders (
    name text primary key,
    team_id text not null,
    at timestamptz not null default now()
);

-- Which list of an environment's hosts is the newest; the numbers grow in the order of the changes of who holds a name.
create sequence domain_ordinals;
create table domain_lists (
    project_id text not null references projects (id) on delete cascade,
    environment text not null,
    ordinal bigint not null,
    primary key (project_id, environment)
);
