-- name: list
-- Production, which is always there, and the previews; $2 is one of them, or '' for all.
select e.environment, e.expires_at, live.id as live_deployment_id, live.url, newest.created_at as deployed_at
from (
    select 'production' as environment, null::timestamptz as expires_at
    union all
    select environment, expires_at from previews where project_id = $1
) e
left join lateral (
    select id, url from deployments d
    where d.project_id = $1 and d.environment = e.environment and d.state = 'LIVE'
    order by d.arrival desc limit 1
) live on true
left join lateral (
    select created_at from deployments d
    where d.project_id = $1 and d.environment = e.environment
    order by d.arrival desc limit 1
) newest on true
where $2 = '' or e.environment = $2
order by e.environment <> 'production', e.environment;
