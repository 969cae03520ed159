-- Somebody is asked to join a team, a project of it, or both, by the address that a mail is sent to.
create table invitations (
    id text primary key,
    team_id text not null references teams (id) on delete cascade,
    -- In lower case: what is compared with the account's.
    email text not null,
    -- On the team; null is for guests of a project.
    role text check (role in ('OWNER', 'ADMIN', 'DEVELOPER', 'VIEWER')),
    project_id text,
    project_role text check (project_role in ('OWNER', 'ADMIN', 'DEVELOPER', 'VIEWER')),
    -- sha256 of 256 random bits.
    token_hash bytea not null unique,
    -- Whose standing in the team the invitation lives by; null is the platform.
    invited_by text references accounts (id) on delete cascade,
    created_at timestamptz not null default now(),
    sent_at timestamptz not null default now(),
    expires_at timestamptz not null,
    accepted_at timestamptz,
    accepted_by text references accounts (id) on delete set null,
    constraint invitations_to_something check (role is not null or project_role is not null),
    constraint invitations_project check ((project_id is null) = (project_role is null))
);
create unique index invitations_open on invitations (team_id, email, coalesce(project_id, '')) where accepted_at is null;
create index invitations_project_id on invitations (project_id) where project_id is not null;

create index project_members_team on project_members (team_id);
create index api_tokens_project on api_tokens (project_id) where project_id is not null;
