-- Teams that auth is about to delete, or has deleted: they get no project any more (control/projects/teams).
create table closed_teams (
    team_id text primary key,
    closed_at timestamptz not null default now()
);
