-- name: lock_team
-- Excludes others who make something in this team, until the transaction ends.
select pg_advisory_xact_lock(hashtextextended('limits/' || $1, 0));

-- name: plan
select coalesce(t.plan, d.plan) as plan, coalesce(t.overrides, '{}') as overrides
from default_plan d left join team_plans t on t.team_id = $1;

-- name: team_of
select team_id from projects where id = $1;

-- name: set_default
update default_plan set plan = $1;

-- name: set_plan
insert into team_plans (team_id, plan, overrides) values ($1, $2, $3)
on conflict (team_id) do update set plan = excluded.plan, overrides = excluded.overrides, updated_at = now();

-- name: projects
select count(*) from projects where team_id = $1;

-- name: domains
select count(*) from domains d join projects p on p.id = d.project_id where p.team_id = $1;

-- name: previews
select coalesce(max(n), 0) from (
    select count(*) as n from previews v join projects p on p.id = v.project_id where p.team_id = $1 group by v.project_id
) counts;

-- name: used
-- In whole minutes, requests and MiB.
select coalesce((select floor(sum(build_ms) / 60000.0) from build_usage where team_id = $1 and month = $2), 0)::bigint
           as build_minutes,
       coalesce((select sum(requests) from traffic_usage where team_id = $1 and month = $2), 0)::bigint as requests,
       coalesce((select floor(sum(sent) / 1048576.0) from traffic_usage where team_id = $1 and month = $2), 0)::bigint
           as bandwidth_mb;

-- name: begin_build
insert into builds_begun (deployment_id, since) values ($1, $2) on conflict do nothing;

-- name: end_build
delete from builds_begun where deployment_id = $1 returning since;

-- name: add_build
insert into build_usage (team_id, month, build_ms, builds) values ($1, $2, $3, 1)
on conflict (team_id, month) do update
set build_ms = build_usage.build_ms + excluded.build_ms, builds = build_usage.builds + 1;

-- name: set_traffic
-- Sums of the log service, which never shrink: told twice or out of order, the larger one counts. A month's traffic of a
-- project counts for the team that had it when it was told first.
insert into traffic_usage (project_id, month, team_id, requests, sent)
select t.project_id, $2, p.team_id, t.requests, t.sent
from unnest($1::text[], $3::bigint[], $4::bigint[]) as t (project_id, requests, sent)
join projects p on p.id = t.project_id
order by t.project_id
on conflict (project_id, month) do update
set requests = greatest(traffic_usage.requests, excluded.requests), sent = greatest(traffic_usage.sent, excluded.sent)
returning team_id;

-- name: mark
insert into usage_marks (team_id, month, name, percent, detail) values ($1, $2, $3, $4, $5)
on conflict do nothing
returning name;

-- name: untold
select * from usage_marks where not told order by at, percent limit 20;

-- name: told
update usage_marks set told = true where team_id = $1 and month = $2 and name = $3 and percent = $4;

-- name: forget
delete from usage_marks where month < $1::date - interval '13 months';
