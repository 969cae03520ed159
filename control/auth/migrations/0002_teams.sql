-- A team owns projects. Every account has one of its own, whose id is made of the account's (acc_X has tem_X), so that
-- services that know an account only can tell it.
create table teams (
    id text primary key,
    name text not null,
    slug text not null unique,
    personal_of text unique references accounts (id) on delete cascade,
    created_at timestamptz not null default now()
);

create table team_members (
    team_id text not null references teams (id) on delete cascade,
    account_id text not null references accounts (id) on delete cascade,
    role text not null check (role in ('OWNER', 'ADMIN', 'DEVELOPER', 'VIEWER')),
    created_at timestamptz not null default now(),
    primary key (team_id, account_id)
);
create index team_members_account on team_members (account_id);

-- A role on one project, which adds to the one on its team.
create table project_members (
    project_id text not null,
    team_id text not null references teams (id) on delete cascade,
    account_id text not null references accounts (id) on delete cascade,
    role text not null check (role in ('OWNER', 'ADMIN', 'DEVELOPER', 'VIEWER')),
    created_at timestamptz not null default now(),
    primary key (project_id, account_id)
);
create index project_members_account on project_members (account_id);

-- The pairs of keys that sign passports and access tokens, in turn.
create table signing_keys (
    id text primary key,
    -- Ed25519, sealed (kernel/sealing.py), bound to the id.
    private_sealed bytea not null,
    -- RFC 8037, what others verify with.
    public_jwk jsonb not null,
    created_at timestamptz not null default now(),
    -- Signs from here on, if it is the newest such; others have read it by then.
    signs_at timestamptz not null,
    -- Verifies until here, when all that it signed has run out.
    ends_at timestamptz not null
);

insert into teams (id, name, slug, personal_of)
select 'tem_' || substr(id, 5), name, 'u-' || substr(id, 5), id from accounts;

insert into team_members (team_id, account_id, role)
select 'tem_' || substr(id, 5), id, 'OWNER' from accounts;

-- What a token is good for: everything that its account may do, cut down to scopes (null is not), to one project
-- (null is any), and to a time. A token of a project has no account, and a role of its own there.
alter table api_tokens
    alter column account_id drop not null,
    add column scopes text[],
    add column project_id text,
    add column role text check (role in ('OWNER', 'ADMIN', 'DEVELOPER', 'VIEWER')),
    add column team_id text references teams (id) on delete cascade,
    add column expires_at timestamptz,
    add column last_used_at timestamptz,
    add constraint api_tokens_whose check (
        (account_id is not null and role is null)
        or (account_id is null and project_id is not null and role is not null and team_id is not null)
    );
