-- How many instances of a process an environment is to have, where that is not what its live release says.
create table scales (
    project_id text not null,
    environment text not null,
    process text not null,
    -- bounds that somebody set by hand; null: those of the live release
    least integer check (least >= 0),
    most integer check (most >= least),
    -- what is wanted now; read within the bounds
    desired integer not null check (desired >= 0),
    -- autoscaler, wake, or the account that asked
    changed_by text not null,
    changed_at timestamptz not null default now(),
    primary key (project_id, environment, process)
);

-- Somebody asked for new instances: those of before this moment are replaced, one after the other.
create table restarts (
    project_id text not null,
    environment text not null,
    asked_by text not null,
    asked_at timestamptz not null default now(),
    primary key (project_id, environment)
);

alter table instances
    -- the name of its process in the release's plan; "cron:<name>" for a run of a cron job
    add column process text not null default 'web',
    -- how it ended: exit, signal, memory, deadline, lost, stopped, unhealthy
    add column reason text not null default '',
    -- the end of its output, for one that ended by itself
    add column last_lines jsonb not null default '[]';
create index instances_ended on instances (ended_at) where state in ('stopped', 'crashed');
create index instances_crashed on instances (ended_at) where state = 'crashed';
create index instances_of_process on instances (release_id, process);

-- Crashes in a row: those since an instance of the process was up for a minute, within ten minutes.
create view crashes_in_a_row as
select c.release_id, c.process, count(*) as crashes, max(c.ended_at) as last_at
from instances c
where c.state = 'crashed' and c.ended_at > now() - interval '10 minutes' and not exists (
    select from instances s
    where s.release_id = c.release_id and s.process = c.process
        and c.ended_at <= s.started_at + interval '1 minute'
        and coalesce(s.ended_at, now()) > s.started_at + interval '1 minute'
)
group by c.release_id, c.process;

-- One row for each time that a cron job was due, whoever ran it: the key is what keeps it from running twice.
create table cron_runs (
    project_id text not null,
    environment text not null,
    name text not null,
    due_at timestamptz not null,
    release_id text not null,
    instance_id text,
    -- running, done, failed, skipped (the run before had not ended), missed (nobody was there in time)
    state text not null,
    exit_status integer not null default 0,
    detail text not null default '',
    started_at timestamptz not null default now(),
    deadline_at timestamptz not null,
    ended_at timestamptz,
    primary key (project_id, environment, name, due_at)
);
create index cron_runs_running on cron_runs (project_id, environment, name) where state = 'running';
