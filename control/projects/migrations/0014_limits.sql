-- What a team may have and has used. A team without a row has the platform's default plan.
create table default_plan (
    one boolean primary key default true check (one),
    plan text not null
);
insert into default_plan (plan) values ('unlimited');
create table team_plans (
    team_id text primary key,
    plan text not null,
    -- Limits of this team that differ from the plan's: name to number, -1 for none.
    overrides jsonb not null default '{}',
    updated_at timestamptz not null default now()
);
-- `month` is its first day, UTC.
create table build_usage (
    team_id text not null,
    month date not null,
    build_ms bigint not null,
    builds bigint not null,
    primary key (team_id, month)
);
-- Of the log service's sums; it outlives the project, which was used all the same.
create table traffic_usage (
    project_id text not null,
    month date not null,
    team_id text not null,
    requests bigint not null,
    sent bigint not null,
    primary key (project_id, month)
);
create index traffic_usage_of_team on traffic_usage (team_id, month);
-- That 80 or 100 percent of something were reached, once a month; `told`: the owners got their mail.
create table usage_marks (
    team_id text not null,
    month date not null,
    name text not null,
    percent integer not null,
    detail text not null,
    told boolean not null default false,
    at timestamptz not null default now(),
    primary key (team_id, month, name, percent)
);
create index usage_marks_untold on usage_marks (at) where not told;
-- Since when a deployment has been building, by the orchestrator's clock.
create table builds_begun (
    deployment_id text primary key references deployments (id) on delete cascade,
    since timestamptz not null
);
