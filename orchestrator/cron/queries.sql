-- name: releases_with_crons
-- Of production: a preview that did production's work beside it would do it twice.
select r.*, d.created_at as wanted_at,
    (
        select coalesce(jsonb_object_agg(c.name, c.last), '{}') from (
            select name, max(extract(epoch from due_at)) as last from cron_runs
            where project_id = d.project_id and environment = d.environment group by name
        ) c
    ) as last_runs
from deployments d join releases r on r.id = d.release_id
where d.state = 'LIVE' and d.environment = 'production' and r.kind = 'dynamic' and jsonb_array_length(r.plan -> 'crons') > 0

-- name: lock_job
select pg_advisory_xact_lock(hashtextextended($1 || '/' || $2 || '/' || $3, 5))

-- name: add_run
insert into cron_runs (project_id, environment, name, due_at, release_id, deadline_at, state, detail, ended_at)
select $1, $2, $3, $4, $5, now() + make_interval(secs => $6), s.state, s.detail,
    case when s.state <> 'running' then now() end
from (
    select case
        when $7::boolean then 'missed'
        when exists (
            select from cron_runs where project_id = $1 and environment = $2 and name = $3 and state = 'running'
        ) then 'skipped'
        else 'running' end as state,
    case when $7::boolean then 'nobody was there within an hour of the time' else '' end as detail
) s
on conflict do nothing
returning *

-- name: begin_run
update cron_runs set instance_id = $5
where project_id = $1 and environment = $2 and name = $3 and due_at = $4 and state = 'running'

-- name: end_run
update cron_runs set state = $5, exit_status = $6, detail = $7, ended_at = now()
where project_id = $1 and environment = $2 and name = $3 and due_at = $4 and state = 'running'
returning true

-- name: running_runs
select c.*, i.state as instance_state, i.exit_status as instance_status, i.reason as instance_reason,
    c.deadline_at < now() as late, c.started_at < now() - interval '2 minutes' as old
from cron_runs c left join instances i on i.id = c.instance_id
where c.state = 'running'

-- name: stray_jobs
select i.id from instances i
where i.process like 'cron:%' and i.state in ('starting', 'ready', 'draining')
  and i.started_at < now() - interval '2 minutes'
  and not exists (select from cron_runs c where c.instance_id = i.id and c.state = 'running')

-- name: forget_runs
delete from cron_runs where ended_at < now() - interval '30 days'

-- name: live_plan
select r.plan from deployments d join releases r on r.id = d.release_id
where d.project_id = $1 and d.environment = $2 and d.state = 'LIVE'

-- name: last_runs
select * from cron_runs where project_id = $1 and environment = $2 order by due_at desc limit 100

-- name: database_time
select now()
