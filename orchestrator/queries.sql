-- name: add_deployment
insert into deployments (id, project_id, environment, owner, ordinal, kind, made_of, canary, limits)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (id) do nothing

-- name: lock_environment
select pg_advisory_xact_lock(hashtextextended($1 || '/' || $2, 0))

-- name: lock_owner
select pg_advisory_xact_lock(hashtextextended($1, 1))

-- name: newer_deployment
-- What would have ended the one with ordinal $3 and kind $4, had it come after it.
select id from deployments
where project_id = $1 and environment = $2 and ordinal > $3 and (kind <> 'config' or $4 = 'config') and reason <> $5
order by ordinal desc limit 1

-- name: busy_environments
select count(distinct (project_id, environment)) from deployments
where owner = $1 and (project_id, environment) <> ($2, $3) and state in ('QUEUED', 'BUILDING', 'PROVISIONING')

-- name: older_unfinished
-- A change of variables ends only others of its kind: it waits for a build and then changes what that brought.
select id from deployments
where project_id = $1 and environment = $2 and id <> $3 and not flipped
  and state in ('QUEUED', 'BUILDING', 'PROVISIONING') and (kind = 'config' or $4 <> 'config')
  and (ordinal, arrival) < (select ordinal, arrival from deployments where id = $3)

-- name: unfinished_environments
-- Those that nobody but $1 has a lease of.
select distinct project_id, environment from deployments
where state in ('QUEUED', 'BUILDING', 'PROVISIONING')
  and (project_id, environment) not in
    (select project_id, environment from leases where holder <> $1 and expires_at > clock_timestamp())

-- name: next_deployment
select *, (extract(epoch from clock_timestamp() - created_at) * 1000)::bigint as waited_ms from deployments
where project_id = $1 and environment = $2 and state in ('QUEUED', 'BUILDING', 'PROVISIONING')
order by flipped desc, ordinal, arrival limit 1

-- name: is_unfinished
select state in ('QUEUED', 'BUILDING', 'PROVISIONING') from deployments where id = $1

-- name: tell_environment
select pg_notify($1, $2)

-- name: get_deployment
select * from deployments where id = $1

-- name: move_deployment
update deployments
set state = $2, stage = $4, reason = $5, hint = $6, detail = $7, exit_status = $8, updated_at = now(),
    timings_ms = timings_ms || $9, url = coalesce(nullif($10, ''), url), release_id = coalesce($11, release_id)
where id = $1 and (state || '/' || kind || '/' || flipped) = any($3::text[])
returning *

-- name: lock_deployment
-- Before the table of routes, as all do who lock both.
select * from deployments where id = $1 for update

-- name: note_canary
update deployments set canary_state = canary_state || $2 where id = $1

-- name: report_canary
update deployments
set canary_state = jsonb_set(canary_state, '{report}', coalesce(canary_state -> 'report', '[]') || $2) where id = $1

-- name: order_canary
update deployments set canary_state = canary_state || jsonb_build_object('order', $3::text)
where id = $1 and project_id = $2 and state = 'PROVISIONING' and not flipped and canary <> '{}'
returning project_id, environment

-- name: end_canary
-- The route's record without the canary; null when the deployment has no share of the requests.
with held as (select id, canary_state -> 'before' as before from deployments where id = $1 and canary_state ? 'weight')
update deployments d set canary_state = d.canary_state - 'weight' from held where d.id = held.id returning held.before

-- name: set_measured
update deployments set measured = $2 where id = $1 and measured = '{}'

-- name: unmeasured_switches
select id, release_id, coalesce(previous_route ->> 'release', '') as before,
    extract(epoch from now() - flipped_at)::float8 as age_s
from deployments
where measured = '{}' and state in ('LIVE', 'INACTIVE')
  and flipped_at between now() - interval '1 minute' and now() - make_interval(secs => $1)

-- name: deployment_report
select measured, canary, canary_state - 'before' as canary_state from deployments where id = $1 and project_id = $2

-- name: flip_deployment
update deployments
set flipped = true, flipped_at = now(), routes_version = $2, previous_route = $3, updated_at = now(),
    canary_state = canary_state - 'weight'
where id = $1 and state = 'PROVISIONING' and not flipped
returning *

-- name: unflip_deployment
update deployments set flipped = false, flipped_at = null, routes_version = null
where id = $1 and state = 'PROVISIONING' and flipped
returning *

-- name: set_host
update deployments set host = $2 where id = $1

-- name: live_deployment
select * from deployments where project_id = $1 and environment = $2 and state = 'LIVE'

-- name: warm_deployment
-- The deployment that just became INACTIVE stays warm, and none before it.
update deployments set warm_until = case when id = $3 then now() + make_interval(secs => $4) end
where project_id = $1 and environment = $2 and (id = $3 or warm_until is not null)

-- name: current_releases
-- What runs. A `warm` one is left as it is: neither ended nor started again.
select distinct on (r.id) r.*, d.host, d.state = 'INACTIVE' as warm
from deployments d join releases r on r.id = d.release_id
where d.state = 'LIVE' or (d.state = 'INACTIVE' and d.warm_until > now())
  or (d.state = 'PROVISIONING' and (d.flipped or d.canary_state ? 'weight'))
order by r.id, d.state = 'INACTIVE'

-- name: kept_slugs
select distinct r.artifact from releases r join deployments d on d.release_id = r.id
where r.kind = 'dynamic' and (d.state in ('LIVE', 'PROVISIONING') or d.warm_until > now())

-- name: is_current
select true from deployments
where release_id = $1
  and (state = 'LIVE' or (state = 'PROVISIONING' and (flipped or canary_state ? 'weight'))) limit 1 for share

-- name: is_wanted
-- Whether a release serves, is warm, or is being brought up.
select true from deployments
where release_id = $1 and (state in ('LIVE', 'PROVISIONING') or (state = 'INACTIVE' and warm_until > now())) limit 1

-- name: add_release
insert into releases (id, deployment_id, project_id, environment, kind, artifact, plan, health_strict, sealed_env, rules)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: command_done
select command_done from releases where id = $1

-- name: set_command_done
update releases set command_done = true where id = $1

-- name: last_job
select id, reason, exit_status, last_lines, ended_at from instances where release_id = $1 and process = $2
order by started_at desc limit 1

-- name: kept_release
select r.* from releases r
where r.id = $1 and r.project_id = $2 and r.retired_at is null
  and exists (select from deployments d where d.release_id = r.id and d.state in ('LIVE', 'INACTIVE'))

-- name: list_releases
-- Those that have served, newest first; $3 is one of them, or what a deployment brought live, or '' for all.
select r.id, r.deployment_id, r.project_id, r.environment, r.kind, r.plan, r.created_at,
       bool_or(d.state = 'LIVE') as live, bool_or(d.state = 'INACTIVE' and coalesce(d.warm_until > now(), false)) as warm
from releases r join deployments d on d.release_id = r.id and d.state in ('LIVE', 'INACTIVE')
where r.project_id = $1 and r.retired_at is null and ($2 = '' or r.environment = $2)
  and ($3 = '' or r.id = $3 or exists (select from deployments n where n.id = $3 and n.release_id = r.id))
group by r.id
order by (select n.arrival from deployments n where n.id = r.deployment_id) desc nulls last limit 100

-- name: release_before
-- The release that served in an environment before that which serves now, be it not confirmed by all routers yet.
select d.release_id from deployments d join releases r on r.id = d.release_id
where d.project_id = $1 and d.environment = $2 and d.state in ('LIVE', 'INACTIVE') and r.retired_at is null
  and d.release_id <> (
    select n.release_id from deployments n
    where n.project_id = $1 and n.environment = $2 and (n.state = 'LIVE' or (n.state = 'PROVISIONING' and n.flipped))
    order by n.state = 'LIVE' limit 1
  )
order by d.state = 'LIVE' desc, d.arrival desc limit 1  -- they flip in this order, whatever clocks say

-- name: live_release
select release_id from deployments where project_id = $1 and environment = $2 and state = 'LIVE'

-- name: get_release
select * from releases where id = $1

-- name: add_instance
insert into instances (id, release_id, project_id, process, state) values ($1, $2, $3, $4, 'starting')

-- name: set_instance
-- A job (its name has a colon) that ends with status 0 has done its work.
update instances
set state = case when $2 = 'crashed' and $5 = 'exit' and $4 = 0 and process like '%:%' then 'stopped' else $2 end,
    address = coalesce(nullif($3, ''), address), exit_status = $4, reason = $5, last_lines = $6,
    ended_at = case when $2 in ('stopped', 'crashed') then now() end
where id = $1 and state not in ('stopped', 'crashed')
returning *

-- name: instance_log_state
select i.log_offset, r.deployment_id from instances i join releases r on r.id = i.release_id where i.id = $1

-- name: open_instances
select *, state <> 'starting' or started_at < now() - interval '2 minutes' as settled
from instances where state in ('starting', 'ready', 'draining') order by started_at

-- name: is_open
select true from instances where id = $1 and state in ('starting', 'ready', 'draining')

-- name: ready_endpoints
select id, address from instances where release_id = $1 and process = 'web' and state = 'ready' order by started_at

-- name: serving_instances
select i.id, i.address, r.plan -> 'health' as health, d.host from instances i join releases r on r.id = i.release_id
join deployments d on d.release_id = r.id and d.state = 'LIVE'
where i.process = 'web' and i.state = 'ready'

-- name: lock_endpoints
select pg_advisory_xact_lock(hashtextextended($1, 4))

-- name: instances_of_project
select * from instances where ($1 = '' or project_id = $1) and state <> 'stopped' order by started_at desc limit 200

-- name: crashes_in_a_row
select * from crashes_in_a_row

-- name: forget_ended
delete from instances i
where i.state in ('stopped', 'crashed') and i.ended_at < now() - interval '7 days'
  and not exists (select from cron_runs r where r.instance_id = i.id)

-- name: set_log_offset
update instances set log_offset = $2 where id = $1

-- name: lock_table
select epoch, version from route_table for update

-- name: get_table
select epoch, version from route_table

-- name: set_table
update route_table set epoch = $1, version = $2

-- name: put_route
insert into routes (host, path, project_id, record, version) values ($1, $2, $3, $4, $5)
on conflict (host, path) do update set project_id = $3, record = $4, version = $5

-- name: delete_route
delete from routes where host = $1 and path = $2 returning host

-- name: get_route
select record from routes where host = $1 and path = $2

-- name: list_routes
select host, path, project_id, record, version from routes where $1 = '' or project_id = $1 order by host, path

-- name: put_endpoints
insert into endpoints (release_id, record, version) values ($1, $2, $3)
on conflict (release_id) do update set record = $2, version = $3

-- name: delete_endpoints
delete from endpoints where release_id = $1 returning release_id

-- name: get_endpoints
select record from endpoints where release_id = $1

-- name: all_endpoints
select release_id, record from endpoints

-- name: pending_routes
select count(*) from outbox where stream = 'routes'

-- name: acquire_lease
insert into leases as held (project_id, environment, holder, token, renewed_at, expires_at)
values ($1, $2, $3, nextval('lease_tokens'), clock_timestamp(), clock_timestamp() + make_interval(secs => $4))
on conflict (project_id, environment) do update
set holder = excluded.holder, token = excluded.token, renewed_at = excluded.renewed_at, expires_at = excluded.expires_at
where held.holder = excluded.holder or held.expires_at <= clock_timestamp() or held.renewed_at > clock_timestamp()
returning token

-- name: renew_lease
update leases set renewed_at = clock_timestamp(), expires_at = clock_timestamp() + make_interval(secs => $4)
where project_id = $1 and environment = $2 and token = $3

-- name: release_lease
delete from leases where project_id = $1 and environment = $2 and token = $3

-- name: fence_lease
select token from leases where project_id = $1 and environment = $2 and token = $3 for share

-- name: all_scales
select * from scales

-- name: all_restarts
select * from restarts

-- name: ask_restart
insert into restarts (project_id, environment, asked_by) values ($1, $2, $3)
on conflict (project_id, environment) do update set asked_by = $3, asked_at = now()

-- name: releases_in_the_making
select release_id from deployments where state = 'PROVISIONING' and not flipped and release_id is not null

-- name: database_time
select now()

-- name: scales_of
select * from scales where project_id = $1 and environment = $2

-- name: set_desired
insert into scales (project_id, environment, process, desired, changed_by) values ($1, $2, $3, $4, $5)
on conflict (project_id, environment, process) do update set desired = $4, changed_by = $5, changed_at = now()

-- name: rouse
-- Who has just been deployed is awake, and has its idle time before it sleeps again; not who is switched off by hand.
update scales set desired = 1, changed_by = 'deployment', changed_at = now()
where project_id = $1 and environment = $2 and process = $3 and desired = 0 and coalesce(most, 1) > 0

-- name: set_bounds
insert into scales (project_id, environment, process, least, most, desired, changed_by)
values ($1, $2, $3, $4, $5, $4, $6)
on conflict (project_id, environment, process) do update
set least = $4, most = $5, desired = greatest($4, least(scales.desired, $5)), changed_by = $6, changed_at = now()

-- name: forget_scale
delete from scales where project_id = $1 and environment = $2 and process = $3

-- name: sleeping_release
select r.project_id, r.environment, r.plan
from endpoints e join releases r on r.id = e.release_id
where e.release_id = $1 and e.record ->> 'state' = 'asleep'
  and exists (select from deployments d where d.release_id = r.id and d.state = 'LIVE')

-- name: is_roused
select s.desired > 0 from scales s join releases r using (project_id, environment)
where r.id = $1 and s.process = 'web'

-- name: scalable
-- Every environment with an app, as far as its web process goes; `releases` are those that its requests went to lately.
select r.id, r.project_id, r.environment, s.process, s.least, s.most, s.desired,
    extract(epoch from now() - greatest(
        d.updated_at, case when s.changed_by <> 'autoscaler' then s.changed_at end
    ))::float8 as settled_s,
    (select count(*) from instances i where i.release_id = r.id and i.process = 'web' and i.state = 'ready') as ready,
    array(
        select o.release_id from deployments o
        where o.project_id = d.project_id and o.environment = d.environment and o.release_id is not null
          and (o.state in ('LIVE', 'PROVISIONING') or (o.state = 'INACTIVE' and o.updated_at > now() - interval '1 minute'))
    ) as releases
from deployments d join releases r on r.id = d.release_id
left join scales s on s.project_id = d.project_id and s.environment = d.environment and s.process = 'web'
where d.state = 'LIVE' and r.kind = 'dynamic'

-- name: environments_of
select distinct environment from deployments where project_id = $1

-- name: deployments_at_work
select id, state, flipped from deployments
where project_id = $1 and environment = $2 and state in ('QUEUED', 'BUILDING', 'PROVISIONING', 'LIVE')
order by arrival for update

-- name: cool_environment
update deployments set warm_until = null, canary_state = canary_state - 'weight'
where project_id = $1 and environment = $2 and (warm_until is not null or canary_state ? 'weight')

-- name: routes_of_environment
select host, path from routes where project_id = $1 and record ->> 'environment' = $2

-- name: endpoints_of_environment
select e.release_id from endpoints e join releases r on r.id = e.release_id
where r.project_id = $1 and r.environment = $2

-- name: retire_environment
update releases set retired_at = now() where project_id = $1 and environment = $2 and retired_at is null

-- name: bound_preview
-- A preview has one instance, and none when nobody asks; a hand may change that.
insert into scales (project_id, environment, process, least, most, desired, changed_by)
values ($1, $2, 'web', 0, 1, 1, 'preview')
on conflict (project_id, environment, process) do nothing

-- name: routes_of_hosts
select record from routes where project_id = $1 and host = any($2::text[])

-- name: retire_releases
with ranked as (
  select o.id, o.created_at,
      row_number() over (partition by o.project_id, o.environment order by d.arrival desc nulls last, o.id desc) as place
  from releases o left join deployments d on d.id = o.deployment_id where o.retired_at is null
)
update releases r set retired_at = now() from ranked
where r.id = ranked.id
  and (ranked.place > $1 or (ranked.place > 2 and ranked.created_at < now() - make_interval(days => $2)))
  and not exists (
    select from deployments d
    where d.release_id = r.id and (d.state in ('LIVE', 'PROVISIONING') or d.warm_until > now())
  )
  and not exists (
    select from deployments d where d.made_of = r.id and d.state in ('QUEUED', 'PROVISIONING')
  )

-- name: unneeded_artifacts
select min(kind) as kind, min(project_id) as project_id, artifact from releases
group by artifact
having bool_and(retired_at is not null) and not bool_and(artifact_deleted)
limit 100

-- name: is_needed
select exists (select from releases where artifact = $1 and retired_at is null)

-- name: kept_sites
select distinct artifact from releases where project_id = $1 and kind = 'static' and retired_at is null

-- name: note_use
insert into artifact_uses (what) values ($1) on conflict (what) do update set used_at = now()

-- name: begin_use
insert into artifact_uses (what, used_at) values ($1, 'epoch') on conflict (what) do nothing

-- name: lock_use
select used_at < now() - make_interval(secs => $2) from artifact_uses where what = $1 for update

-- name: note_deleted
update releases set artifact_deleted = true where artifact = $1 and retired_at is not null

-- name: idle_endpoints
select e.release_id from endpoints e
where not exists (
    select from deployments d
    where d.release_id = e.release_id and (d.state in ('LIVE', 'PROVISIONING') or d.warm_until > now())
  )
  and not exists (
    select from instances i where i.release_id = e.release_id and i.state in ('starting', 'ready', 'draining')
  )
limit 1000

-- name: room_of
-- What a release's tenant may have, and how many instances of its other environments and of the release itself run. A
-- release that was brought back counts by its newest deployment.
select mine.limits, (
    select count(*) from instances i
        join releases r on r.id = i.release_id
        join deployments d on d.id = r.deployment_id
    where d.owner = mine.owner and i.state in ('starting', 'ready') and i.process not like 'cron:%'
      and (r.project_id, r.environment) <> (mine.project_id, mine.environment)
) as others, (
    select count(*) from instances i
    where i.release_id = $1 and i.state in ('starting', 'ready') and i.process not like 'cron:%'
) as own
from deployments mine where mine.release_id = $1 or mine.id = (select deployment_id from releases where id = $1)
order by mine.arrival desc limit 1

-- name: newest_limits
select limits from deployments where project_id = $1 and environment = $2 order by arrival desc limit 1
